//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/host/agent"
	"tocsin/pkg/setting"
)

// runAgent is the host agent, or asks the running one how it does.
func runAgent(ctx context.Context, c *call) error {
	if len(c.args) > 0 && c.args[0] == "status" {
		c.args = c.args[1:]
		return agentStatus(ctx, c)
	}
	buffer := api.Size(64 << 20)
	server := c.flags.String("server", "", "")
	id := c.flags.String("id", "", "")
	token := c.flags.String("token", "", "")
	tokenFile := c.flags.String("token-file", "", "")
	state := c.flags.String("state", c.stateDir(), "")
	plugins := c.flags.String("plugins", "", "")
	c.flags.TextVar(&buffer, "buffer", buffer, "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if *server == "" || *id == "" {
		return usagef("--server and --id are missing: where to report, and the host's id there")
	}
	log, err := c.agentLog()
	if err != nil {
		return err
	}
	if *token != "" {
		log.Warn("--token can be read by everybody on this machine who lists processes: use --token-file")
	}
	secret, err := c.agentToken(*token, *tokenFile)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Options{
		Server: *server, ID: *id, Token: secret, StateDir: *state, PluginDir: *plugins,
		BufferSize: int64(buffer), Version: app.Version, Log: log,
	})
	if err != nil {
		return err
	}
	goLean()
	return a.Run(ctx)
}

// agentToken is the token, of one of the places where it can be.
func (c *call) agentToken(token, file string) (setting.Secret, error) {
	fromEnv, _ := c.lookup("TOCSIN_AGENT_TOKEN")
	switch {
	case token != "" && file != "":
		return "", usagef("--token and --token-file are both given: keep --token-file")
	case token != "":
		return setting.Secret(token), nil
	case file != "":
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		return setting.Secret(strings.TrimSpace(string(text))), nil
	case fromEnv != "":
		return setting.Secret(fromEnv), nil
	default:
		return "", usagef("there is no token: give its file with --token-file, or set TOCSIN_AGENT_TOKEN")
	}
}

func (c *call) agentLog() (*slog.Logger, error) {
	var level slog.Level
	if text, _ := c.lookup("TOCSIN_LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, usagef("TOCSIN_LOG_LEVEL=%s: it is debug, info, warn or error", text)
		}
	}
	return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level})), nil
}

// stateDir is where the agent's files are by default, by the XDG base directory
// specification; the working directory for a user without a home.
func (c *call) stateDir() string {
	const name = "tocsin-agent"
	if dir, _ := c.lookup("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	if home, _ := c.lookup("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", name)
	}
	return name
}

// agentStatus prints how the running agent does.
func agentStatus(ctx context.Context, c *call) error {
	state := c.flags.String("state", c.stateDir(), "")
	format := c.flags.String("o", "table", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if *format != "table" && *format != "json" {
		return usagef("-o %s: it is table or json", *format)
	}
	s, err := agent.QueryStatus(ctx, *state)
	if err != nil {
		return err
	}
	if *format == "json" {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	printAgent(c, s)
	return nil
}

func printAgent(c *call, s *agent.Status) {
	since := func(t *time.Time) string {
		if t == nil {
			return "never"
		}
		return t.Local().Format(time.DateTime)
	}
	fmt.Fprintf(c.stdout, "%s reports to %s since %s\n", s.ID, s.Server, since(&s.Started))
	fmt.Fprintf(c.stdout, "configuration: read %s\n", because(since(s.ConfigRead), s.ConfigError))
	fmt.Fprintf(c.stdout, "reports: %d waiting (%s), %d sent, %d refused, %d dropped, the last sent %s\n\n",
		s.Waiting, api.Size(s.WaitingBytes), s.Sent, s.Refused, s.Dropped, because(since(s.LastSent), s.ReportError))
	t := plainTable("SERVICE", "PLUGIN", "EVERY", "LAST", "COLLECTED", "FAILED", "SKIPPED", "ERROR")
	for _, sv := range s.Services {
		every := time.Duration(sv.Seconds * float64(time.Second))
		t.AppendRow([]any{sv.Name, sv.Plugin, every, since(sv.Last), sv.Collected, sv.Failed, sv.Skipped, sv.Error})
	}
	printTable(c.stdout, t)
}

func because(s, err string) string {
	if err != "" {
		s += ": " + err
	}
	return s
}
