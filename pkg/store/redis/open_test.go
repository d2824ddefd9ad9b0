package redis

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/redis/redistest"
)

func TestParse(t *testing.T) {
	for url, want := range map[string]address{
		"redis://10.0.0.1":                        {host: "10.0.0.1:6379"},
		"redis://redis.example.com:6380/":         {host: "redis.example.com:6380"},
		"redis://:p%40ss%2Fw%23rd@10.0.0.1/3":     {host: "10.0.0.1:6379", password: "p@ss/w#rd", db: 3},
		"rediss://tocsin:secret@[2001:db8::1]/12": {tls: true, host: "[2001:db8::1]:6379", user: "tocsin", password: "secret", db: 12},
	} {
		t.Run(url, func(t *testing.T) {
			if got, err := parse(url); err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
	const form = "redis://USER:PASSWORD@HOST:PORT/DB"
	for url, want := range map[string]string{
		"redis:":                                     form,
		"redis://":                                   form,
		"redis://:hunter2@":                          form,
		"redis:hunter2":                              form,
		"redis:///hunter2":                           form,
		"redis://u:hunter2/3@10.0.0.1":               form,
		"redis://u:hunter2#3@10.0.0.1":               form,
		"redis://u:hunter2%zz@10.0.0.1":              form,
		"redis://u:7/hunter2@10.0.0.1":               "number of a database",
		"redis://u:p@10.0.0.1/hunter2":               "number of a database",
		"redis://u:p@10.0.0.1/-1":                    "number of a database",
		"redis://u:p@10.0.0.1/1/2":                   "number of a database",
		"redis://hunter2@10.0.0.1":                   "no password",
		"redis://hunter2:@10.0.0.1":                  "no password",
		"redis://u:hunter2@10.0.0.1?prefix=x":        "no parameters",
		"rediss://u:p@10.0.0.1/?skip_verify=hunter2": "no parameters",
		"redis://u:p@10.0.0.1?":                      "no parameters",
	} {
		t.Run(url, func(t *testing.T) {
			s, err := Open(t.Context(), url)
			if s != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("got %v, want an error with %q and no password", err, want)
			}
			if checked := Check(url); checked == nil || checked.Error() != err.Error() {
				t.Errorf("got %v from Check, want %v as from Open", checked, err)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	server := newServer(t, "--requirepass", "hunter2!@/#")
	server.Password = "hunter2!@/#"
	// The rights are those that docs/store.md lists.
	server.MustCommand("ACL SETUSER tocsin on >hunter3 ~{tocsin}:* +info +eval +evalsha +hmget +hget +hset +hdel +zadd +zrem +zcard +zrangebylex +zrangebyscore +select")
	server.MustCommand("ACL SETUSER noinfo on >hunter4 ~{tocsin}:* +eval +evalsha +hmget +hget +hset +hdel +zadd +zrem +zcard +zrangebylex +zrangebyscore")
	server.MustCommand("ACL SETUSER reader on >hunter5 ~{tocsin}:* +info +hmget")
	server.MustCommand("ACL SETUSER off off >hunter6")

	for user, want := range map[string]string{
		":hunter2%21%40%2F%23@":      "",
		"default:hunter2!%40%2F%23@": "",
		"tocsin:hunter3@":            "",
		"noinfo:hunter4@":            "",
		"":                           "it requires a password",
		":hunter9@":                  "user or password is wrong",
		"tocsin:hunter2@":            "user or password is wrong",
		"nobody:hunter3@":            "user or password is wrong",
		"off:hunter6@":               "user or password is wrong",
		"reader:hunter5@":            "docs/store.md",
	} {
		t.Run(user, func(t *testing.T) {
			s, err := Open(t.Context(), "redis://"+user+server.Addr)
			if err == nil {
				defer s.Close()
				for _, call := range storeCalls(s) {
					err = errors.Join(err, call(t.Context()))
				}
			}
			switch {
			case want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case want != "" && (!errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), want)):
				t.Errorf("got %v, want ErrUnavailable with %q", err, want)
			case want != "" && strings.Contains(err.Error(), "hunter"):
				t.Errorf("got %q, want no password in it", err)
			}
		})
	}
}

func TestDatabase(t *testing.T) {
	server := newServer(t)
	s, err := Open(t.Context(), server.URL()+"/3")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, set("a/1", "x"))
	if it := mustGet(t, server.open(), "a/1"); it.Version != 0 {
		t.Errorf("got %q in database 0, want it in database 3 only", it.Value)
	}
	if _, err := Open(t.Context(), server.URL()+"/99"); err == nil || !strings.Contains(err.Error(), "no such database") {
		t.Errorf("got %v for database 99, want \"no such database\"", err)
	}
}

func TestEviction(t *testing.T) {
	server := newServer(t)
	for _, test := range []struct{ maxmemory, policy, want string }{
		{"0", "allkeys-lru", ""}, // nothing is ever evicted
		{"100mb", "noeviction", ""},
		{"100mb", "volatile-lru", ""}, // no key of ours has a TTL
		{"100mb", "allkeys-lru", "set it to noeviction"},
		{"100mb", "allkeys-random", "set it to noeviction"},
	} {
		t.Run(test.policy+" of "+test.maxmemory, func(t *testing.T) {
			server.MustCommand("CONFIG SET maxmemory-policy " + test.policy)
			server.MustCommand("CONFIG SET maxmemory " + test.maxmemory)
			s, err := Open(t.Context(), server.URL())
			if err == nil {
				s.Close()
			}
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || errors.Is(err, store.ErrUnavailable)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	// The certificate of httptest is for 127.0.0.1 and example.com, and is its own root.
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	defer web.Close()
	pair := web.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	certificate := write("cert.pem", "CERTIFICATE", pair.Certificate[0])

	port := redistest.FreePort(t)
	server := newServer(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", certificate, "--tls-key-file", write("key.pem", "PRIVATE KEY", key), "--tls-ca-cert-file", certificate)
	s, err := open(t.Context(), "rediss://127.0.0.1:"+port, roots)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, set("a/1", "x"))
	if it := mustGet(t, server.open(), "a/1"); string(it.Value) != "x" {
		t.Errorf("got %q, want what was committed over TLS", it.Value)
	}

	for name, test := range map[string]struct {
		url   string
		roots *x509.CertPool
		want  string
	}{
		"a certificate of an unknown root": {"rediss://127.0.0.1:" + port, nil, "certificate"},
		"a certificate of another name":    {"rediss://localhost:" + port, roots, "certificate"},
		"TLS to a plain port":              {"rediss://" + server.Addr, roots, "rediss:// with TLS"},
		"no TLS to a TLS port":             {"redis://127.0.0.1:" + port, roots, "rediss:// with TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			s, err := open(ctx, test.url, test.roots)
			if s != nil || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrUnavailable with %q", err, test.want)
			}
		})
	}
}
