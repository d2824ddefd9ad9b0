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
)

func TestParse(t *testing.T) {
	for url, want := range map[string]address{
		"redis://10.0.0.1":                        {host: "10.0.0.1:6379"},
		"redis://redis.example.com:6380/":         {host: "redis.example.com:6380"},
		"redis://:p%40ss%2Fw%23rd@10.0.0.1/3":     {host: "10.0.0.1:6379", password: "p@ss/w#rd", db: 3},
		"rediss://tocsin:secret@[2001:db8::1]/12": {tls: true, host: "[2001:db8::1]:6379", user: "tocsin", password: "secret", db: 12},
	} {
		if got, err := parse(url); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", url, got, err, want)
		}
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
		s, err := Open(t.Context(), url)
		if s != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q in it and no password", url, err, want)
		}
		if checked := Check(url); checked == nil || checked.Error() != err.Error() {
			t.Errorf("%s: Check %v, Open %v", url, checked, err)
		}
	}
}

func TestPassword(t *testing.T) {
	server := newServer(t, "--requirepass", "hunter2!@/#")
	server.password = "hunter2!@/#"
	// The rights that docs/store.md lists.
	server.mustCommand("ACL SETUSER tocsin on >hunter3 ~{tocsin}:* +info +eval +evalsha +hmget +hget +hset +hdel +zadd +zrem +zcard +zrangebylex +zrangebyscore +select")
	server.mustCommand("ACL SETUSER noinfo on >hunter4 ~{tocsin}:* +eval +evalsha +hmget +hget +hset +hdel +zadd +zrem +zcard +zrangebylex +zrangebyscore")
	server.mustCommand("ACL SETUSER reader on >hunter5 ~{tocsin}:* +info +hmget")
	server.mustCommand("ACL SETUSER off off >hunter6")

	for user, want := range map[string]string{
		":hunter2%21%40%2F%23@":      "",
		"default:hunter2!%40%2F%23@": "",
		"tocsin:hunter3@":            "",
		"noinfo:hunter4@":            "",
		"":                           "it asks for a password",
		":hunter9@":                  "user or password is wrong",
		"tocsin:hunter2@":            "user or password is wrong",
		"nobody:hunter3@":            "user or password is wrong",
		"off:hunter6@":               "user or password is wrong",
		"reader:hunter5@":            "docs/store.md",
	} {
		s, err := Open(t.Context(), "redis://"+user+server.addr)
		if err == nil {
			defer s.Close()
			for _, call := range storeCalls(s) {
				err = errors.Join(err, call(t.Context()))
			}
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", user, err)
		case want != "" && (!errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q in it", user, err, want)
		case want != "" && strings.Contains(err.Error(), "hunter"):
			t.Errorf("%s: the password is in %q", user, err)
		}
	}
}

func TestDatabase(t *testing.T) {
	server := newServer(t)
	s, err := Open(t.Context(), server.url()+"/3")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, set("a/1", "x"))
	if it := mustGet(t, server.open(), "a/1"); it.Version != 0 {
		t.Error("database 0 has what was put into database 3")
	}
	if _, err := Open(t.Context(), server.url()+"/99"); err == nil || !strings.Contains(err.Error(), "no such database") {
		t.Errorf("database 99: %v", err)
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
		server.mustCommand("CONFIG SET maxmemory-policy " + test.policy)
		server.mustCommand("CONFIG SET maxmemory " + test.maxmemory)
		s, err := Open(t.Context(), server.url())
		if err == nil {
			s.Close()
		}
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || errors.Is(err, store.ErrUnavailable)) {
			t.Errorf("%s of %s: %v, want %q in it", test.policy, test.maxmemory, err, test.want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	// httptest has a certificate for 127.0.0.1 and example.com that is its own root.
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

	port := freePort(t)
	server := newServer(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", certificate, "--tls-key-file", write("key.pem", "PRIVATE KEY", key), "--tls-ca-cert-file", certificate)
	s, err := open(t.Context(), "rediss://127.0.0.1:"+port, roots)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, set("a/1", "x"))
	if it := mustGet(t, server.open(), "a/1"); string(it.Value) != "x" {
		t.Errorf("a/1 holds %q", it.Value)
	}

	for name, test := range map[string]struct {
		url   string
		roots *x509.CertPool
		want  string
	}{
		"unknown root":         {"rediss://127.0.0.1:" + port, nil, "certificate"},
		"another name":         {"rediss://localhost:" + port, roots, "certificate"},
		"TLS to a plain port":  {"rediss://" + server.addr, roots, "rediss:// stands for TLS"},
		"no TLS to a TLS port": {"redis://127.0.0.1:" + port, roots, "rediss:// stands for TLS"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		s, err := open(ctx, test.url, test.roots)
		cancel()
		if s != nil || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
}
