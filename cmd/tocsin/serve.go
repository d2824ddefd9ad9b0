package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/setting"
)

// serve does everything in one process until it is told to stop. Its flags are
// Alertmanager's, so that one can take the other's place in a unit file.
func serve(ctx context.Context, c *call) error {
	f := serveFlags{startDelay: new(setting.Duration), retention: new(setting.Duration)}
	f.register(c)
	if err := c.parse(0, 0); err != nil {
		return err
	}
	log, err := f.logger(c)
	if err != nil {
		return err
	}
	if f.cluster {
		log.Info("--cluster flags do nothing here: instances that name the same store in their configuration share the work (docs/store.md)")
	}
	prefix, external, err := f.prefix()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --web.listen-address", f.listen, err)
	}
	defer l.Close()
	address := l.Addr().String()
	host, err := os.Hostname()
	if err != nil {
		host = "tocsin"
	}
	s, err := app.NewServer(ctx, app.ServerOptions{
		Options: app.Options{Lookup: c.lookup, Now: time.Now, Log: log, Retention: f.retention.Std(), Store: "bolt:" + filepath.Join(f.storage, "tocsin.db")},
		Load: func() (*config.Config, error) {
			cfg, err := c.load(f.config)
			if err == nil && external != "" {
				cfg.Global.ExternalURL = external
			}
			return cfg, err
		},
		RoutePrefix: prefix, StartDelay: f.startDelay.Std(), Classic: slices.Contains(strings.Split(f.features, ","), "classic-mode"),
		Name: fmt.Sprintf("%s-%d", host, os.Getpid()), Address: address,
	})
	if err != nil {
		return err
	}
	if ip, _, _ := net.SplitHostPort(address); s.Open() && !net.ParseIP(ip).IsLoopback() {
		log.Warn("open to everybody who can reach this address, as Alertmanager is: give webhook.auth tokens, or put a proxy in front that asks who comes", "address", address)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				if err := s.Reload(ctx); err != nil {
					log.Error("the configuration was not reloaded; the old one is in force", "err", err)
				} else {
					log.Info("the configuration was reloaded")
				}
			}
		}
	}()
	fmt.Fprintf(c.stderr, "Listening on address=%s\n", address)
	err = s.Run(ctx, l)
	log.Info("stopped: what is still owed is said at the next start")
	return err
}

// serveFlags are the flags of serve.
type serveFlags struct {
	config, listen, storage  string
	routePrefix, externalURL string
	logLevel, logFormat      string
	startDelay, retention    *setting.Duration
	features                 string
	cluster                  bool
}

func (f *serveFlags) register(c *call) {
	c.flags.StringVar(&f.config, "config.file", "", "")
	c.flags.StringVar(&f.listen, "web.listen-address", ":9093", "")
	c.flags.StringVar(&f.storage, "storage.path", "data", "")
	c.flags.StringVar(&f.routePrefix, "web.route-prefix", "", "")
	c.flags.StringVar(&f.externalURL, "web.external-url", "", "")
	c.flags.StringVar(&f.logLevel, "log.level", "info", "")
	c.flags.StringVar(&f.logFormat, "log.format", "logfmt", "")
	c.flags.TextVar(f.startDelay, "dispatch.start-delay", setting.Duration(0), "")
	c.flags.StringVar(&f.features, "enable-feature", "", "")
	c.flags.TextVar(f.retention, "data.retention", setting.Duration(0), "")
	for _, name := range []string{
		"listen-address", "advertise-address", "peer", "peer-timeout", "peers-resolve-timeout", "gossip-interval", "pushpull-interval",
		"tcp-timeout", "probe-timeout", "probe-interval", "settle-timeout", "reconnect-interval", "reconnect-timeout", "tls-config", "label", "name",
	} {
		c.flags.Func("cluster."+name, "", func(string) error { f.cluster = true; return nil })
	}
}

func (f *serveFlags) logger(c *call) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usagef("--log.level=%s: it is debug, info, warn or error", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "logfmt":
		return slog.New(slog.NewTextHandler(c.stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.stderr, options)), nil
	default:
		return nil, usagef("--log.format=%s: it is logfmt or json", f.logFormat)
	}
}

// prefix is the path under which everything is served: --web.route-prefix, or
// the path of the external address.
func (f *serveFlags) prefix() (prefix, external string, err error) {
	if f.externalURL == "" {
		return f.routePrefix, "", nil
	}
	u, err := url.Parse(f.externalURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", usagef("--web.external-url=%s: it is an address such as https://alerts.example.com/tocsin", f.externalURL)
	}
	if f.routePrefix == "" {
		f.routePrefix = u.Path
	}
	return f.routePrefix, f.externalURL, nil
}
