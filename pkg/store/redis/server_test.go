package redis

import (
	"testing"

	"tocsin/pkg/store/redis/redistest"
)

// server is a redis-server process and opens stores on it.
type server struct {
	*redistest.Server
	t testing.TB
}

func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	return &server{redistest.Start(t, args...), t}
}

// open opens the store on the server.
func (s *server) open() *Store {
	s.t.Helper()
	st, err := Open(s.t.Context(), s.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { st.Close() })
	return st
}

// openEmpty deletes everything on the server and opens the store.
func (s *server) openEmpty() *Store {
	s.t.Helper()
	s.MustCommand("FLUSHALL")
	return s.open()
}
