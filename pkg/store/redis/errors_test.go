package redis

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// TestWritesRejected: while the server rejects writes, the error of a commit names the
// cause, nothing of it is stored, and reads work.
func TestWritesRejected(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt, fix func(*server)
		want         string
	}{
		"memory full": {
			breakIt: func(s *server) { s.MustCommand("CONFIG SET maxmemory 1") },
			fix:     func(s *server) { s.MustCommand("CONFIG SET maxmemory 0") },
			want:    "raise maxmemory",
		},
		"replica": {
			breakIt: func(s *server) { s.MustCommand("REPLICAOF 127.0.0.1 1") },
			fix:     func(s *server) { s.MustCommand("REPLICAOF NO ONE") },
			want:    "let the url name the primary",
		},
		"too few replicas": {
			breakIt: func(s *server) { s.MustCommand("CONFIG SET min-replicas-to-write 1") },
			fix:     func(s *server) { s.MustCommand("CONFIG SET min-replicas-to-write 0") },
			want:    "too few replicas",
		},
		"disk": {
			breakIt: func(s *server) {
				if err := os.RemoveAll(s.Dir); err != nil {
					t.Fatal(err)
				}
				s.MustCommand("BGSAVE")
				s.WaitUntil("the snapshot has failed", func() bool {
					return strings.Contains(s.MustCommand("INFO persistence"), "rdb_last_bgsave_status:err")
				})
			},
			fix:  func(s *server) { s.MustCommand("CONFIG SET stop-writes-on-bgsave-error no") },
			want: "cannot write to its disk",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, "--save", "3600", "1000000")
			s := server.open()
			mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("one"), Due: noon}, set("a/2", "two"))

			test.breakIt(server)
			err := s.Commit(t.Context(), noon, store.Change{Key: "a/2", Due: noon, Value: []byte("new")}, set("a/3", "new"))
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Commit: got %v, want ErrUnavailable with %q", err, test.want)
			}
			items, err := s.List(t.Context(), "", "", 9)
			if err != nil || len(items) != 2 || string(items[1].Value) != "two" {
				t.Errorf("List: got %+v, %v, want the two items from before", items, err)
			}
			if due, err := s.Due(t.Context(), "a", noon, 9); err != nil || len(due) != 1 {
				t.Errorf("Due: got %+v, %v, want one item", due, err)
			}

			test.fix(server)
			mustCommit(t, s, set("a/3", "new"))
		})
	}
}

// TestDeleteWhenMemoryFull: a commit that frees memory works when there is none left.
func TestDeleteWhenMemoryFull(t *testing.T) {
	server := newServer(t)
	s := server.open()
	mustCommit(t, s, set("a/1", "one"))
	server.MustCommand("CONFIG SET maxmemory 1")
	mustCommit(t, s, store.Change{Key: "a/1", Delete: true})
}

// TestReserve: deliveries go on when the memory is full.
func TestReserve(t *testing.T) {
	server := newServer(t)
	s := server.open()
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("one"), Due: noon}, store.Change{Key: "a/2", Value: []byte("two"), Due: noon})
	server.MustCommand("CONFIG SET maxmemory 1")
	if err := s.Commit(t.Context(), noon, set("b/1", "new")); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "raise maxmemory") {
		t.Errorf("got %v from a commit, want ErrFull", err)
	}
	for _, changes := range [][]store.Change{
		{{Key: "a/1", Value: []byte("leased"), Due: noon.Add(time.Minute)}},
		{{Key: "a/1", Delete: true}, {Key: "dead/1", Value: []byte("one")}},
		{{Key: "a/2", Delete: true}},
	} {
		if err := s.Commit(store.WithReserve(t.Context()), noon, changes...); err != nil {
			t.Errorf("%s: got %v, want no error", changes[0].Key, err)
		}
	}
	if it := mustGet(t, s, "dead/1"); string(it.Value) != "one" {
		t.Errorf("got %q, want what was committed", it.Value)
	}
}

// TestExpiredWhenMemoryFull: a server whose memory is full of expired items takes commits
// again.
func TestExpiredWhenMemoryFull(t *testing.T) {
	server := newServer(t, "--appendonly", "no", "--maxmemory", "8mb")
	s := server.open()
	for _, size := range []int{100_000, 1000, 1} {
		var err error
		for i := 0; err == nil; i++ {
			err = s.Commit(t.Context(), noon, store.Change{Key: fmt.Sprintf("a/%d-%d", size, i), Value: make([]byte, size), Due: noon, Expires: noon.Add(time.Minute)})
		}
		if !strings.Contains(err.Error(), "raise maxmemory") {
			t.Fatalf("got %v, want a full memory", err)
		}
	}
	later := noon.Add(time.Hour)
	for i := range 3 {
		if err := s.Commit(t.Context(), later, store.Change{Key: fmt.Sprintf("b/%d", i), Value: []byte("x"), Due: later}); err != nil {
			t.Errorf("commit %d: got %v, want no error", i, err)
		}
	}
	if items, err := s.List(t.Context(), "b/", "", 9); err != nil || len(items) != 3 {
		t.Errorf("got %d items, %v, want the three of later", len(items), err)
	}
}

// TestKeyOfAnotherProgram: a Redis key of another type fails every commit as a whole.
func TestKeyOfAnotherProgram(t *testing.T) {
	for _, key := range []string{itemsKey, keysKey, dueKey, expiresKey} {
		t.Run(key, func(t *testing.T) {
			server := newServer(t)
			s := server.open()
			mustCommit(t, s, set("a/1", "one"))
			var before string
			if key != itemsKey {
				before = server.MustCommand("HGET {tocsin}:items a/1")
			}
			server.MustCommand("SET " + key + " cats")
			err := s.Commit(t.Context(), noon, store.Change{Key: "a/1", Value: []byte("new"), Due: noon, Expires: noon.Add(time.Hour)})
			if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "another program") {
				t.Errorf("got %v from Commit, want a lasting error that names another program", err)
			}
			if key == itemsKey {
				return
			}
			if after := server.MustCommand("HGET {tocsin}:items a/1"); after != before {
				t.Errorf("got %q in the items, want %q as before the commit", after, before)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	server := newServer(t)
	storetest.RunUnreadable(t, func(t *testing.T) (store.Store, func(key string, raw []byte)) {
		return server.openEmpty(), func(key string, raw []byte) {
			t.Helper()
			c, err := redis.Dial("tcp", server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if raw == nil {
				_, err = c.Do("HDEL", itemsKey, key)
			} else {
				_, err = c.Do("HSET", itemsKey, key, raw)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestExplain has error replies of Redis 7.0, and of Redis 6.2 where they begin with ERR.
func TestExplain(t *testing.T) {
	script := "ERR Error running script (call to f_5c7d): @user_script:38: @user_script: 38: "
	for _, test := range []struct {
		text, want  string
		unavailable bool
	}{
		{"LOADING Redis is loading the dataset in memory", "will be ready soon", true},
		{"OOM command not allowed when used memory > 'maxmemory'. script: 5c7d, on @user_script:38.", "raise maxmemory", true},
		{script + "-OOM command not allowed when used memory > 'maxmemory'. ", "raise maxmemory", true},
		{script + "-READONLY You can't write against a read only replica. ", "name the primary", true},
		{script + "WRONGTYPE Operation against a key holding the wrong kind of value ", "another program", false},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "name the primary", true},
		{"CLUSTERDOWN Hash slot not served", "CLUSTER INFO", true},
		{"MOVED 10438 10.0.0.2:6379", "CLUSTER NODES", true},
		{"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "SLOWLOG", true},
		{"ERR max number of clients reached", "maxclients", true},
		{"ERR unknown command 'evalsha', with args beginning with: ", "unknown command", false},
	} {
		t.Run(test.text, func(t *testing.T) {
			err := explain(t.Context(), redis.Error(test.text))
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %q, want the reply and %q in it", err, test.want)
			}
			if errors.Is(err, store.ErrUnavailable) != test.unavailable {
				t.Errorf("got ErrUnavailable %v, want %v", !test.unavailable, test.unavailable)
			}
		})
	}
}

func TestNotPrimary(t *testing.T) {
	for text, want := range map[string]bool{
		"READONLY You can't write against a read only replica.":                                                               true,
		"ERR Error running script (call to f_5c7d): @user_script:38: -READONLY You can't write against a read only replica. ": true, // Redis 6
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                                    true,
		"LOADING Redis is loading the dataset in memory":                                                                      true,
		"OOM command not allowed when used memory > 'maxmemory'.":                                                             false,
		"NOREPLICAS Not enough good replicas to write.":                                                                       false,
	} {
		t.Run(text, func(t *testing.T) {
			if got := notPrimary(redis.Error(text)); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
