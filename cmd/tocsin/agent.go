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

	"github.com/spf13/cobra"

	"tocsin/pkg/app"
	"tocsin/pkg/host/agent"
	"tocsin/pkg/setting"
	"tocsin/pkg/setting/base"
)

func newAgentCommand(t *tool) *cobra.Command {
	var o agentFlags
	buffer := base.Size(64 << 20)
	cmd := &cobra.Command{
		Use:   "agent --server URL --id ID --token-file FILE",
		Short: "Run the host agent",
		Long:  "Collects on a host what the server asks for, and reports it. Reports are kept on disk while the\nserver cannot be reached.",
		Example: "  tocsin agent --server https://alerts.example.com --id web-1 --token-file /etc/tocsin/token\n" +
			"  tocsin agent status",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return t.runAgent(cmd.Context(), o, buffer) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.server, "server", "", "`URL` of the server")
	flags.StringVar(&o.id, "id", "", "the host's `id` in the server's configuration")
	flags.StringVar(&o.token, "token", "", "the host's `token`; everyone on the host can read it from the process list")
	flags.StringVar(&o.tokenFile, "token-file", "", "`file` that holds the token (default: the token is $TOCSIN_AGENT_TOKEN)")
	flags.StringVar(&o.plugins, "plugins", "", "`directory` of plugins, one executable each")
	flags.TextVar(&buffer, "buffer", buffer, "`size` of the reports kept while the server cannot be reached")
	cmd.PersistentFlags().StringVar(&o.state, "state", t.stateDir(), "`directory` of the agent's files")

	status := &cobra.Command{
		Use:     "status",
		Short:   "Show the state of the running agent",
		Example: "  tocsin agent status -o json",
		Args:    exactArgs(0),
	}
	format := addOutputFlag(status)
	status.RunE = func(cmd *cobra.Command, _ []string) error { return t.agentStatus(cmd.Context(), o.state, *format) }
	cmd.AddCommand(status)
	return cmd
}

type agentFlags struct {
	server, id, token, tokenFile, state, plugins string
}

// runAgent runs the host agent until ctx is done.
func (t *tool) runAgent(ctx context.Context, o agentFlags, buffer base.Size) error {
	if o.server == "" || o.id == "" {
		return usagef("--server and --id are missing: where to report, and the host's id there")
	}
	log, err := t.agentLog()
	if err != nil {
		return err
	}
	if o.token != "" {
		log.Warn("--token can be read by everyone on this machine who lists processes: use --token-file")
	}
	secret, err := t.agentToken(o.token, o.tokenFile)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Options{
		Server: o.server, ID: o.id, Token: secret, StateDir: o.state, PluginDir: o.plugins,
		BufferSize: int64(buffer), Version: app.Version, Log: log,
	})
	if err != nil {
		return err
	}
	goLean()
	return a.Run(ctx)
}

// agentToken is the token, of one of the places where it can be.
func (t *tool) agentToken(token, file string) (setting.Secret, error) {
	fromEnv, _ := t.lookup("TOCSIN_AGENT_TOKEN")
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

func (t *tool) agentLog() (*slog.Logger, error) {
	var level slog.Level
	if text, _ := t.lookup("TOCSIN_LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return nil, usagef("TOCSIN_LOG_LEVEL=%s: it is debug, info, warn or error", text)
		}
	}
	return slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: level})), nil
}

// stateDir is where the agent's files are by default, by the XDG base directory
// specification; the working directory for a user without a home.
func (t *tool) stateDir() string {
	const name = "tocsin-agent"
	if dir, _ := t.lookup("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	if home, _ := t.lookup("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", name)
	}
	return name
}

// agentStatus prints the state of the running agent.
func (t *tool) agentStatus(ctx context.Context, state string, format outputFormat) error {
	s, err := agent.QueryStatus(ctx, state)
	if err != nil {
		return err
	}
	if format == "json" {
		enc := json.NewEncoder(t.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	t.printAgent(s)
	return nil
}

func (t *tool) printAgent(s *agent.Status) {
	since := func(t *time.Time) string {
		if t == nil {
			return "never"
		}
		return t.Local().Format(time.DateTime)
	}
	fmt.Fprintf(t.stdout, "%s reports to %s since %s\n", s.ID, s.Server, since(&s.Started))
	fmt.Fprintf(t.stdout, "configuration: read %s\n", because(since(s.ConfigRead), s.ConfigError))
	fmt.Fprintf(t.stdout, "reports: %d waiting (%s), %d sent, %d refused, %d dropped, the last sent %s\n\n",
		s.Waiting, base.Size(s.WaitingBytes), s.Sent, s.Refused, s.Dropped, because(since(s.LastSent), s.ReportError))
	tw := newTable("SERVICE", "PLUGIN", "EVERY", "LAST", "COLLECTED", "FAILED", "SKIPPED", "ERROR")
	for _, sv := range s.Services {
		every := time.Duration(sv.Seconds * float64(time.Second))
		tw.AppendRow([]any{sv.Name, sv.Plugin, every, since(sv.Last), sv.Collected, sv.Failed, sv.Skipped, sv.Error})
	}
	printTable(t.stdout, tw)
}

func because(s, err string) string {
	if err != "" {
		s += ": " + err
	}
	return s
}
