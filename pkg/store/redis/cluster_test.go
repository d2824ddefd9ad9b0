package redis

import (
	"strings"
	"testing"

	"tocsin/pkg/store"
	"tocsin/pkg/store/redis/redistest"
	"tocsin/pkg/store/storetest"
)

// newNode starts a server in cluster mode, without slots or other nodes.
func newNode(t testing.TB, args ...string) (s *server, bus string) {
	bus = redistest.FreePort(t)
	return newServer(t, append(args, "--cluster-enabled", "yes", "--cluster-port", bus)...), bus
}

// newCluster starts a cluster of two nodes, the first of which has all slots and is known
// by an address.
func newCluster(t *testing.T, address string, args ...string) (full, empty *server) {
	t.Helper()
	empty, _ = newNode(t, args...)
	full, bus := newNode(t, args...)
	full.MustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	_, port, _ := strings.Cut(full.Addr, ":")
	empty.MustCommand("CLUSTER MEET " + address + " " + port + " " + bus)
	empty.waitForCluster()
	full.waitForCluster()
	return full, empty
}

// waitForCluster waits until every slot has a node.
func (s *server) waitForCluster() {
	s.t.Helper()
	s.WaitUntil("the cluster is complete", func() bool {
		return strings.Contains(s.MustCommand("CLUSTER INFO"), "cluster_state:ok")
	})
}

// TestClusterContract runs the contract on a cluster of one node, which rejects commands
// and scripts whose keys are not all in one slot.
func TestClusterContract(t *testing.T) {
	t.Parallel() // a cluster takes seconds to form
	node, _ := newNode(t)
	node.MustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	node.waitForCluster()
	storetest.Run(t, func(*testing.T) store.Store { return node.openEmpty() })
}

// TestClusterRedirect opens the store at a node that has none of the keys, in every form in
// which the node names the other.
func TestClusterRedirect(t *testing.T) {
	t.Parallel() // a cluster takes seconds to form
	for name, test := range map[string]struct {
		address, moved string
		args           []string
	}{
		"to an IPv4 address":           {"127.0.0.1", "MOVED 148 127.0.0.1:", nil},
		"to an IPv6 address":           {"::1", "MOVED 148 ::1:", []string{"--bind", "127.0.0.1", "::1"}},
		"without a host":               {"127.0.0.1", "MOVED 148 :", []string{"--cluster-preferred-endpoint-type", "unknown-endpoint"}},
		"to a node without a hostname": {"127.0.0.1", "MOVED 148 ?:", []string{"--cluster-preferred-endpoint-type", "hostname"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, empty := newCluster(t, test.address, test.args...)
			if _, err := empty.Command("HGET {tocsin}:items a/1"); err == nil || !strings.HasPrefix(err.Error(), test.moved) {
				t.Fatalf("got %v from the node, want %s", err, test.moved)
			}
			s := empty.open()
			for name, call := range storeCalls(s) {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s: got %v, want no error", name, err)
				}
			}
			if full.MustCommand("HGET {tocsin}:items a/1") == "" {
				t.Error("got no a/1 on the node that has the slots")
			}
			mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(mustGet(t, s, "a/1"))})
		})
	}
}

// TestClusterFailover kills the node that has the keys and gives its slots to another.
func TestClusterFailover(t *testing.T) {
	t.Parallel() // a cluster takes seconds to form
	first, second := newCluster(t, "127.0.0.1")
	s := second.open()
	mustCommit(t, s, set("a/1", "x"))

	first.Kill()
	second.MustCommand("CLUSTER DELSLOTSRANGE 0 16383")
	second.MustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	second.waitForCluster()
	if it := mustGet(t, s, "a/1"); it.Version != 0 { // the second node had no copy
		t.Errorf("got %q from the second node, want nothing", it.Value)
	}
	mustCommit(t, s, set("a/1", "y"))
	if second.MustCommand("HGET {tocsin}:items a/1") == "" {
		t.Error("got no a/1 on the second node")
	}
}
