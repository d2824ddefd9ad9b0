package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// server is a process that takes alerts in by Alertmanager's API v2: Tocsin, or
// Alertmanager itself.
type server struct {
	cmd *exec.Cmd
	url string
}

var listening = regexp.MustCompile(`Listening on.*address=(127\.0\.0\.1:\d+)`)

// serve starts a server on a configuration and waits until it listens.
func serve(binary, config, storage string) (*server, error) {
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
	var said bytes.Buffer
	lines := bufio.NewScanner(io.TeeReader(stderr, &said))
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, stderr)
			return &server{cmd: cmd, url: "http://" + m[1]}, nil
		}
	}
	return nil, fmt.Errorf("%s does not listen: %w\n%s", binary, cmd.Wait(), said.String())
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// memoryOf is what a process holds, in bytes: now (VmRSS), or at most (VmHWM).
func memoryOf(pid int, which string) (int64, error) {
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

// request is what is posted to a server.
type request struct {
	path string
	body []byte
}

// bodies are alerts as Prometheus posts them: n of them, in 100 groups by
// alertname, batch to a request.
func bodies(n, batch int) []request {
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
			Annotations: map[string]string{"summary": "something is not as it should be", "description": "the value is 96.2, which is too much"},
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

// post has clients post the requests, over and over until the time is up, or once
// when there is none. It returns how many of them were answered with 200.
func (s *server) post(ctx context.Context, clients int, requests []request, d time.Duration) (int, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	end := time.Now().Add(d)
	var next, done atomic.Int64
	var wait sync.WaitGroup
	var failed atomic.Value
	for range clients {
		wait.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1) - 1)
				if d == 0 && i >= len(requests) || d > 0 && time.Now().After(end) {
					return
				}
				next := requests[i%len(requests)]
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+next.path, bytes.NewReader(next.body))
				if err != nil {
					failed.Store(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					failed.Store(err)
					return
				}
				answer, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					failed.Store(fmt.Errorf("%s: %s", resp.Status, answer))
					return
				}
				done.Add(1)
			}
		})
	}
	wait.Wait()
	err, _ := failed.Load().(error)
	return int(done.Load()), err
}
