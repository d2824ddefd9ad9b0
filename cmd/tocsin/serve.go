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
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/setting"
)

// serveFlags are the flags of serve. They are Alertmanager's, so that a unit file
// can be switched from one to the other.
type serveFlags struct {
	config, listen, storage  string
	routePrefix, externalURL string
	corsOrigin               string
	logLevel, logFormat      string
	startDelay, retention    setting.Duration
	maxSilences, maxSize     int
	features                 string
	cluster                  map[string]*string
}

// clusterFlags are Alertmanager's flags of its gossip cluster. They are accepted
// and change nothing.
var clusterFlags = []string{
	"listen-address", "advertise-address", "peer", "peer-timeout", "peers-resolve-timeout", "gossip-interval", "pushpull-interval",
	"tcp-timeout", "probe-timeout", "probe-interval", "settle-timeout", "reconnect-interval", "reconnect-timeout", "tls-config", "label", "name",
}

func newServeCommand(t *tool) *cobra.Command {
	f := serveFlags{cluster: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "serve --config.file FILE",
		Short: "Run everything in one process",
		Long: "Serves HTTP and runs the timers in one process. The flags are Alertmanager's.\n" +
			"SIGHUP reloads the configuration; SIGTERM finishes the deliveries that are under way and exits.",
		Example: "  tocsin serve --config.file tocsin.yaml --storage.path /var/lib/tocsin",
		Args:    exactArgs(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return t.serve(cmd.Context(), &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config.file", "", "configuration `file` (default: $TOCSIN_CONFIG, then tocsin.yaml beside the binary or here)")
	flags.StringVar(&f.listen, "web.listen-address", ":9093", "`address` to serve HTTP on")
	flags.StringVar(&f.storage, "storage.path", "data", "`directory` of the bolt store, unless store.url is set")
	flags.StringVar(&f.routePrefix, "web.route-prefix", "", "`path` below which everything is served (default: the path of --web.external-url)")
	flags.StringVar(&f.externalURL, "web.external-url", "", "`URL` at which people reach this server; replaces global.external_url")
	flags.StringVar(&f.corsOrigin, "web.cors.origin", "", "`regexp` of the origins whose pages may use API v2 in a browser, anchored, such as https?://grafana\\.example\\.com")
	flags.StringVar(&f.logLevel, "log.level", "info", "debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log.format", "logfmt", "logfmt or json")
	flags.TextVar(&f.startDelay, "dispatch.start-delay", setting.Duration(0), "`duration` to wait after the start before the first notification")
	flags.TextVar(&f.retention, "data.retention", setting.Duration(120*time.Hour), "`duration` for which ended silences are kept")
	flags.IntVar(&f.maxSilences, "silences.max-silences", 0, "maximum `number` of silences, expired ones included; 0 or less is no limit")
	flags.IntVar(&f.maxSize, "silences.max-silence-size-bytes", 0, "maximum size of a silence in `bytes`; 0 or less is no limit")
	flags.StringVar(&f.features, "enable-feature", "", "comma-separated `features`; classic-mode accepts only matchers and names without UTF-8")
	for _, name := range clusterFlags {
		f.cluster[name] = flags.String("cluster."+name, "", "accepted and ignored: instances with the same store share the work")
	}
	_ = cmd.MarkFlagFilename("config.file", "yaml", "yml")
	_ = cmd.MarkFlagDirname("storage.path")
	completeWith(cmd, "log.level", "debug", "info", "warn", "error")
	completeWith(cmd, "log.format", "logfmt", "json")
	return cmd
}

// serve runs everything in one process until ctx is done.
func (t *tool) serve(ctx context.Context, f *serveFlags) error {
	log, err := f.newLogger(t)
	if err != nil {
		return err
	}
	for _, name := range clusterFlags {
		if *f.cluster[name] != "" {
			log.Info("--cluster flags have no effect: instances that name the same store in their configuration share the work (docs/store.md)")
			break
		}
	}
	prefix, externalURL, err := f.paths()
	if err != nil {
		return err
	}
	origin, err := f.origin()
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
		Options: app.Options{
			Lookup: t.lookup, Now: time.Now, Log: log, Store: "bolt:" + filepath.Join(f.storage, "tocsin.db"),
			Retention: f.retention.Std(), MaxSilences: f.maxSilences, MaxSilenceSizeBytes: f.maxSize,
		},
		Load: func() (*config.Config, error) {
			cfg, err := t.loadWith(f.config, config.Check)
			if err == nil && externalURL != "" {
				cfg.Global.ExternalURL = externalURL
			}
			return cfg, err
		},
		RoutePrefix: prefix, CORSOrigin: origin, StartDelay: f.startDelay.Std(),
		Classic: slices.Contains(strings.Split(f.features, ","), "classic-mode"),
		Name:    fmt.Sprintf("%s-%d", host, os.Getpid()), Address: address, ProcessMetrics: newProcessMetrics(),
	})
	if err != nil {
		return err
	}
	if ip, _, _ := net.SplitHostPort(address); s.Unauthenticated() && !net.ParseIP(ip).IsLoopback() {
		log.Warn("no authentication: everyone who can reach this address can silence and post alerts, as with Alertmanager; set webhook.auth, or put an authenticating proxy in front. Requests must name this machine by its address or by the host of global.external_url", "address", address)
	}
	defer reloadOnHangup(ctx, s)()
	fmt.Fprintf(t.stderr, "Listening on address=%s\n", address)
	err = s.Run(ctx, l)
	log.Info("stopped; pending notifications are sent after the next start")
	return err
}

// reloadOnHangup reloads the configuration at each SIGHUP until ctx is done or stop is
// called.
func reloadOnHangup(ctx context.Context, s *app.Server) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				_ = s.Reload(ctx) // it logs its result
			}
		}
	}()
	return func() { signal.Stop(hangup) }
}

func (f *serveFlags) newLogger(t *tool) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usagef("--log.level=%s: must be debug, info, warn or error", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "logfmt":
		return slog.New(slog.NewTextHandler(t.stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(t.stderr, options)), nil
	default:
		return nil, usagef("--log.format=%s: must be logfmt or json", f.logFormat)
	}
}

// paths returns the external URL, and the path below which everything is served:
// --web.route-prefix, or else the path of that URL.
func (f *serveFlags) paths() (prefix, externalURL string, err error) {
	if f.externalURL == "" {
		return f.routePrefix, "", nil
	}
	u, err := url.Parse(f.externalURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", usagef("--web.external-url=%s: must be a URL such as https://alerts.example.com/tocsin", f.externalURL)
	}
	if f.routePrefix == "" {
		return u.Path, f.externalURL, nil
	}
	return f.routePrefix, f.externalURL, nil
}

// origin returns the origins of --web.cors.origin, nil without the flag.
func (f *serveFlags) origin() (*regexp.Regexp, error) {
	if f.corsOrigin == "" {
		return nil, nil
	}
	re, err := regexp.Compile("^(?:" + f.corsOrigin + ")$")
	if err != nil {
		return nil, usagef("--web.cors.origin=%s: %v", f.corsOrigin, err)
	}
	return re, nil
}
