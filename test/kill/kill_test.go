// Package kill kills the server under load, again and again, and counts the notifications
// that were lost or sent twice.
package kill

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/store/redis/redistest"
)

var (
	kills = flag.Int("kills", 5, "how often the server is killed on each store")
	seed  = flag.Uint64("seed", 1, "of the random numbers")
)

const (
	senders = 4
	// maxPause is the time between two notifications, while there are more: a killed
	// process may hold them for 25 s, and a long queue is put off for 15 s at most.
	maxPause = 30 * time.Second
)

// binary is the built tool.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "4") // they wait for leases most of the time
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "kill")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "tocsin")
		if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/tocsin").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func TestKillBolt(t *testing.T) {
	t.Parallel()
	run(t, "bolt:"+filepath.Join(t.TempDir(), "tocsin.db"), func(int) {})
}

// TestKillRedis kills the Redis server too, at every fifth kill.
func TestKillRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	run(t, server.URL(), func(kill int) {
		if kill%5 == 0 {
			server.Kill()
			server.Restart()
		}
	})
}

func TestLeasesOfAKilledServerOnBolt(t *testing.T) {
	t.Parallel()
	killHolder(t, "bolt:"+filepath.Join(t.TempDir(), "tocsin.db"), false, 5*time.Second)
}

func TestLeasesOfAKilledServerOnRedis(t *testing.T) {
	t.Parallel()
	killHolder(t, redistest.Start(t).URL(), false, 30*time.Second)
}

// TestLeasesOfAKilledServerBesideAnother has another server on the store, which has nothing
// to do until then.
func TestLeasesOfAKilledServerBesideAnother(t *testing.T) {
	t.Parallel()
	killHolder(t, redistest.Start(t).URL(), true, 30*time.Second)
}

// killHolder kills a server while its webhook hangs and other notifications are leased,
// and checks that all are delivered within a time after the next start or, if another
// server is running, after the kill.
func killHolder(t *testing.T, storeURL string, another bool, within time.Duration) {
	hook := newWebhook(t)
	hook.hold = make(chan struct{})
	s := newServer(t, storeURL, hook.URL)
	l := newLoad(s.url, hook)
	s.start()
	if another {
		newServer(t, storeURL, hook.URL).start()
		<-time.After(2 * time.Second) // until it has found nothing to do
	}
	for i := range 20 {
		l.send(fmt.Sprintf("alert-%d", i), false)
	}
	for range channels {
		<-hook.held
	}
	s.kill()
	close(hook.hold)
	began := time.Now()
	if !another {
		s.start()
	}
	missing := hook.wait(l.end(), within)
	if took := time.Since(began); len(missing) > 0 || took > within {
		t.Errorf("%d of %d notifications are missing %v afterwards, want all within %v", len(missing), 20*len(channels), took, within)
	}
}

// run starts the server on a store, kills it under load for as often as the flag says,
// and checks that every accepted alert was notified, and almost none twice.
// afterKill is called after each kill with its number, from 1.
func run(t *testing.T, storeURL string, afterKill func(kill int)) {
	random := rand.New(rand.NewPCG(*seed, 0))
	hook := newWebhook(t)
	s := newServer(t, storeURL, hook.URL)
	l := newLoad(s.url, hook)
	s.start()
	l.begin()
	for kill := 1; kill <= *kills; kill++ {
		l.waitFor(t, s, 10+random.IntN(100))
		s.kill()
		afterKill(kill)
		s.start()
		l.resume()
	}
	accepted := l.end()
	missing := hook.wait(accepted, maxPause)
	t.Logf("%d kills, %d alerts accepted, %d of them resolved, %d notifications missing, %d twice",
		*kills, len(accepted), countResolved(accepted), len(missing), hook.duplicates())
	if len(missing) > 0 {
		t.Errorf("%d notifications are missing and none came within %v, want all: %.300v\n%s", len(missing), maxPause, missing, s.output())
	}
	// A process has one request to each channel under way. What it had not recorded when
	// it was killed is sent again.
	if got, limit := hook.duplicates(), *kills*len(channels); got > limit {
		t.Errorf("%d notifications twice, want at most %d: one for each kill and channel", got, limit)
	}
}

// server is a process that is killed and started again on the same port and store.
type server struct {
	t      *testing.T
	url    string
	args   []string
	cmd    *exec.Cmd
	errors bytes.Buffer // of its log, since the last start
	read   chan struct{}
}

func newServer(t *testing.T, storeURL, hookURL string) *server {
	t.Helper()
	config := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := fmt.Sprintf("store: {url: %q}\n"+`
route: {receiver: ops, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 24h}
receivers:
  - name: ops
    webhook_configs:
`, storeURL)
	for _, channel := range channels {
		text += fmt.Sprintf("      - {url: %q}\n", hookURL+channel)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", redistest.FreePort(t))
	s := &server{t: t, url: "http://" + address, args: []string{"serve", "--config.file=" + config, "--web.listen-address=" + address}}
	t.Cleanup(s.kill)
	return s
}

// start starts the process and waits until it listens.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(binary, s.args...)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.errors.Reset()
	lines := bufio.NewScanner(io.TeeReader(stderr, &s.errors))
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Listening on") {
			s.read = make(chan struct{})
			go func() {
				defer close(s.read)
				for lines.Scan() {
				}
			}()
			return
		}
	}
	s.t.Fatalf("the server ended before it listened: %s", &s.errors)
}

// kill kills the process without a chance to clean up.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.read
		_ = s.cmd.Wait() // killed
		s.cmd = nil
	}
}

// output returns the end of the process's log, and kills it.
func (s *server) output() string {
	s.kill()
	log := s.errors.String()
	return log[max(len(log)-4000, 0):]
}

// load sends alerts as clients do: each is sent until it is accepted.
type load struct {
	url  string
	hook *webhook
	stop chan struct{}
	done sync.WaitGroup
	sent chan struct{} // one for each accepted request

	mu       sync.Mutex
	restart  chan struct{} // closed when the server has started again
	next     int
	accepted map[string]bool // by name: whether its end was accepted too
}

func newLoad(url string, hook *webhook) *load {
	return &load{url: url, hook: hook, stop: make(chan struct{}), sent: make(chan struct{}, 1<<20), restart: make(chan struct{}), accepted: map[string]bool{}}
}

func (l *load) begin() {
	for range senders {
		l.done.Go(func() {
			for !l.ended() {
				l.mu.Lock()
				n := l.next
				l.next++
				l.mu.Unlock()
				if !l.send(fmt.Sprintf("alert-%06d", n), false) {
					return
				}
				// An alert that ends before its group is flushed is never notified.
				if name, ok := l.hook.takeNotified(); ok && n%2 == 1 && !l.send(name, true) {
					return
				}
			}
		})
	}
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// send sends an alert until it is accepted, and reports false if the load ended first.
func (l *load) send(name string, resolved bool) bool {
	a := map[string]any{"labels": map[string]string{"alertname": name}}
	if resolved {
		a["endsAt"] = time.Now().UTC().Format(time.RFC3339Nano)
	}
	body, _ := json.Marshal([]any{a})
	for {
		l.mu.Lock()
		restarted := l.restart
		l.mu.Unlock()
		resp, err := http.Post(l.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				l.mu.Lock()
				l.accepted[name] = resolved
				l.mu.Unlock()
				l.sent <- struct{}{}
				return true
			}
		}
		select {
		case <-restarted:
		case <-l.stop:
			return false
		}
	}
}

// waitFor waits until more requests were accepted.
func (l *load) waitFor(t *testing.T, s *server, requests int) {
	t.Helper()
	limit := time.After(time.Minute)
	for n := range requests {
		select {
		case <-l.sent:
		case <-limit:
			t.Fatalf("%d requests were accepted within a minute, want %d\n%s", n, requests, s.output())
		}
	}
}

// resume lets the senders try again, after the server has started.
func (l *load) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.restart)
	l.restart = make(chan struct{})
}

// end ends the load and returns the accepted alerts: whether their end was accepted.
func (l *load) end() map[string]bool {
	close(l.stop)
	l.done.Wait()
	return l.accepted
}

func countResolved(accepted map[string]bool) (n int) {
	for _, resolved := range accepted {
		if resolved {
			n++
		}
	}
	return n
}

// channels are the paths of the webhook's channels. The second one rejects every fiftieth
// request.
var channels = []string{"/steady", "/flaky"}

// notification is that of one alert.
type notification struct{ channel, alert, status string }

// webhook counts the notifications that it accepted.
type webhook struct {
	*httptest.Server
	hold chan struct{} // requests wait until it is closed; nil does not delay them
	held chan struct{} // one for each request that waits

	mu       sync.Mutex
	changed  chan struct{} // closed at the next notification
	requests map[string]int
	seen     map[notification]int
	notified []string // names of alerts that the first channel has as firing
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{held: make(chan struct{}, 1000), changed: make(chan struct{}), requests: map[string]int{}, seen: map[notification]int{}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest) // the sender was killed
		return
	}
	if w.hold != nil {
		w.held <- struct{}{}
		select {
		case <-w.hold:
		case <-r.Context().Done():
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[r.URL.Path]++
	if r.URL.Path == "/flaky" && w.requests[r.URL.Path]%50 == 0 {
		http.Error(rw, "try again", http.StatusServiceUnavailable)
		return
	}
	for _, a := range body.Alerts {
		k := notification{r.URL.Path, a.Labels["alertname"], a.Status}
		if w.seen[k]++; w.seen[k] == 1 && r.URL.Path == channels[0] && a.Status == "firing" {
			w.notified = append(w.notified, a.Labels["alertname"])
		}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// takeNotified returns the name of an alert whose firing was notified, each once.
func (w *webhook) takeNotified() (name string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.notified) == 0 {
		return "", false
	}
	name, w.notified = w.notified[0], w.notified[1:]
	return name, true
}

// missing returns the accepted alerts that were not notified, or whose end was not.
func (w *webhook) missing(accepted map[string]bool) (missing []notification, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, channel := range channels {
		for name, resolved := range accepted {
			switch firing, end := (notification{channel, name, "firing"}), (notification{channel, name, "resolved"}); {
			case resolved && w.seen[end] == 0:
				missing = append(missing, end)
			// What fired and ended while its channel failed is mentioned once.
			case !resolved && w.seen[firing] == 0:
				missing = append(missing, firing)
			}
		}
	}
	return missing, w.changed
}

// wait waits until every accepted alert was notified, or nothing was for a time, and
// returns what is missing.
func (w *webhook) wait(accepted map[string]bool, limit time.Duration) []notification {
	timeout := time.NewTimer(limit)
	for {
		missing, changed := w.missing(accepted)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-changed:
			timeout.Reset(limit)
		case <-timeout.C:
			return missing
		}
	}
}

// duplicates returns how many notifications were accepted again.
func (w *webhook) duplicates() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.seen {
		n += times - 1
	}
	return n
}
