package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// server is a process with Alertmanager's API v2: Tocsin, or Alertmanager
// itself.
type server struct {
	cmd *exec.Cmd
	url string
}

var listeningLine = regexp.MustCompile(`Listening on.*address=(127\.0\.0\.1:\d+)`)

// startServer starts a server with a configuration and waits until it listens.
func startServer(binary, config, storage string) (*server, error) {
	cmd := exec.Command(binary)
	if strings.HasSuffix(binary, "tocsin") {
		cmd.Args = append(cmd.Args, "serve")
	} else {
		cmd.Args = append(cmd.Args, "--cluster.listen-address=")
	}
	cmd.Args = append(cmd.Args, "--config.file="+config, "--web.listen-address=127.0.0.1:0", "--storage.path="+storage)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var output bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(stderr, &output))
	for lines.Scan() {
		if m := listeningLine.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, stderr)
			return &server{cmd: cmd, url: "http://" + m[1]}, nil
		}
	}
	return nil, fmt.Errorf("%s has not started to listen: %w\n%s", binary, cmd.Wait(), output.String())
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// processMemory returns the memory of a process in bytes: current (VmRSS) or
// peak (VmHWM).
func processMemory(pid int, which string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(status), which+":")
	if !found {
		return 0, fmt.Errorf("/proc/%d/status has no %s", pid, which)
	}
	kb, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kb << 10, err
}

// request is a POST request to a server.
type request struct {
	path string
	body []byte
}

// alertRequests returns requests with n alerts as Prometheus sends them, in 100
// groups by alertname, batch alerts per request.
func alertRequests(n, batch int) []request {
	type posted struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Generator   string            `json:"generatorURL"`
		Starts      time.Time         `json:"startsAt"`
		Ends        time.Time         `json:"endsAt"`
	}
	now := time.Now()
	var all []request
	var alerts []posted
	for i := range n {
		alerts = append(alerts, posted{
			Labels: map[string]string{"alertname": fmt.Sprintf("Alert%02d", i%100), "instance": fmt.Sprintf("10.0.%d.%d:9100", i/250, i%250),
				"job": "node", "severity": "warning", "number": strconv.Itoa(i)},
			Annotations: map[string]string{"summary": "the disk is almost full", "description": "96.2 % of the disk is used"},
			Generator:   "http://prometheus.example.com/graph?g0.expr=up&g0.tab=1",
			Starts:      now, Ends: now.Add(time.Hour),
		})
		if len(alerts) == batch || i == n-1 {
			body, err := json.Marshal(alerts)
			if err != nil {
				panic(err)
			}
			all, alerts = append(all, request{"/api/v2/alerts", body}), nil
		}
	}
	return all
}

// post sends the requests from several clients: repeatedly for the duration d,
// or once if it is 0. It returns the number of responses with 200; any other
// response is an error.
func (s *server) post(ctx context.Context, clients int, requests []request, d time.Duration) (int, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	end := time.Now().Add(d)
	var next, done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if d == 0 && i >= len(requests) || d > 0 && time.Now().After(end) {
					return nil
				}
				r := requests[i%len(requests)]
				if err := postJSON(ctx, client, s.url+r.path, r.body); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return int(done.Load()), err
}

// postJSON sends one request and returns an error unless the response is 200.
func postJSON(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s: %s: %s", url, resp.Status, text)
	}
	return err
}

// startRedis starts a redis-server that syncs every change to disk before it
// responds, as is advisable for alerts.
func (b *bench) startRedis() (stop func(), err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().(*net.TCPAddr)
	free.Close()
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(addr.Port), "--dir", b.work, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.redis = "redis://" + addr.String() + "/0"
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			go io.Copy(io.Discard, out)
			return func() { cmd.Process.Kill(); cmd.Wait() }, nil
		}
	}
	return nil, fmt.Errorf("redis-server has not started: %w", cmd.Wait())
}
