package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tocsin/pkg/app"
	"tocsin/pkg/config"
)

// Environment variables with the defaults of --url and --token.
const (
	urlVariable   = "TOCSIN_URL"
	tokenVariable = "TOCSIN_TOKEN"
)

// source names the store and the services that a command works on, by a configuration, or
// a server that works on them.
type source struct {
	tool       *tool
	command    *cobra.Command
	config     *string
	url, token string
}

// addSourceFlags adds the flags --config, --url and --token to a command.
func (t *tool) addSourceFlags(cmd *cobra.Command) *source {
	s := &source{tool: t, command: cmd, config: addConfigFlag(cmd)}
	cmd.Flags().StringVar(&s.url, "url", "", "`URL` of a running tocsin serve or webhook function to ask instead, such as http://127.0.0.1:9093 (default: $"+urlVariable+" without --config)")
	cmd.Flags().StringVar(&s.token, "token", "", "`token` of webhook.auth for that server (default: $"+tokenVariable+", which other users of the machine cannot see)")
	return s
}

// client returns a client of the server, nil if the command works with a configuration.
func (s *source) client() (*client, error) {
	address := s.url
	if address == "" && !s.command.Flags().Changed("config") {
		address, _ = s.tool.lookup(urlVariable)
	}
	if address == "" {
		if s.token != "" {
			return nil, usagef("--token is for a server: give its --url, too")
		}
		return nil, nil
	}
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.Fragment != "" {
		return nil, usagef("--url or %s: must be a URL such as http://127.0.0.1:9093", urlVariable)
	}
	token := s.token
	if token == "" {
		token, _ = s.tool.lookup(tokenVariable)
	}
	if ip := net.ParseIP(base.Hostname()); token != "" && base.Scheme == "http" && base.Hostname() != "localhost" && !ip.IsLoopback() {
		fmt.Fprintf(s.tool.stderr, "warning: the token is sent to %s without encryption; use https\n", base.Host)
	}
	return &client{base: base, token: token}, nil
}

// load loads the configuration that --config names.
func (s *source) load() (*config.Config, error) { return s.tool.load(*s.config) }

// explainInUse returns err, or an error with the remedy if err is that another process
// holds the store of cfg.
func (s *source) explainInUse(cfg *config.Config, err error) error {
	if !errors.Is(err, app.ErrStoreInUse) {
		return err
	}
	return fmt.Errorf("%s is in use by another process; if that is tocsin serve, ask it: %s", string(cfg.Store.URL), s.serverCommand(cfg))
}

// serverCommand returns this command as one that asks a server with cfg on this machine.
func (s *source) serverCommand(cfg *config.Config) string {
	words := []string{s.command.CommandPath()}
	s.command.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case f.Name == "config", f.Name == "url", f.Name == "token":
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
		default:
			words = append(words, "--"+f.Name, quoteWord(f.Value.String()))
		}
	})
	line := strings.Join(append(words, "--url", "http://127.0.0.1:9093"), " ")
	if len(cfg.Webhook.Auth.Tokens) > 0 {
		line += " (and set " + tokenVariable + " to a token of webhook.auth that has neither hosts nor paths)"
	}
	return line
}

// plainWord matches words that a shell takes as they are.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quoteWord quotes a word for a shell.
func quoteWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// client asks a server by its API for programs. Every request ends within commandTimeout.
type client struct {
	base  *url.URL
	token string
}

// maxResponse bounds the size of a response, in bytes.
const maxResponse = 64 << 20

// httpClient does not follow redirects, which would take the token elsewhere.
var httpClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// get decodes the response to GET path, relative to /api/tocsin/v1/, into v.
func (c *client) get(ctx context.Context, v any, query url.Values, path ...string) error {
	return c.do(ctx, http.MethodGet, v, query, path)
}

// post decodes the response to POST path, relative to /api/tocsin/v1/, into v.
func (c *client) post(ctx context.Context, v any, path ...string) error {
	return c.do(ctx, http.MethodPost, v, nil, path)
}

// do sends a request to a path, whose segments it escapes. Errors say what to do.
func (c *client) do(ctx context.Context, method string, v any, query url.Values, path []string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	u := c.base.JoinPath("api/tocsin/v1")
	for _, segment := range path {
		u = u.JoinPath(url.PathEscape(segment))
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	server := c.base.Redacted()
	resp, err := httpClient.Do(req)
	var failed *url.Error
	if errors.As(err, &failed) {
		return fmt.Errorf("cannot reach %s: %w; check that tocsin serve runs, and give --url the address that it listens on", server, failed.Err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the response of %s: %w", server, err)
	case len(body) > maxResponse:
		return fmt.Errorf("the response of %s has more than %d MiB", server, maxResponse>>20)
	case resp.StatusCode != http.StatusOK:
		return responseError(server, resp, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return notTocsin(server, resp.Status)
	}
	return nil
}

// responseError returns the error of a response that is not 200.
func responseError(server string, resp *http.Response, body []byte) error {
	var coded struct{ Message string }
	_ = json.Unmarshal(body, &coded) // stays empty if another server answers
	message := coded.Message
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%s requires another token: set --token or %s to one of webhook.auth.tokens that has neither hosts nor paths", server, tokenVariable)
	case code >= 300 && code < 400:
		return fmt.Errorf("%s redirects to %s: give --url the address of Tocsin itself", server, resp.Header.Get("Location"))
	case code == http.StatusServiceUnavailable, code == http.StatusTooManyRequests:
		return fmt.Errorf("%s is busy or without its store: try again (%s)", server, cmp.Or(message, resp.Status))
	case message == "" && code >= 500:
		return fmt.Errorf("%s failed with %s: see its log, and that of a proxy before it", server, resp.Status)
	case message == "":
		return notTocsin(server, resp.Status)
	default:
		return fmt.Errorf("%s: %s", server, message)
	}
}

func notTocsin(server, status string) error {
	return fmt.Errorf("%s does not answer as Tocsin does (%s): check the address and the path in --url, and that its version has /api/tocsin/v1", server, status)
}
