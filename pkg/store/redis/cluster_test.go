package redis

import (
	"strings"
	"testing"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// newNode starts a server of a cluster that is yet to be formed.
func newNode(t testing.TB, args ...string) (s *server, bus string) {
	bus = freePort(t)
	return newServer(t, append(args, "--cluster-enabled", "yes", "--cluster-port", bus)...), bus
}

func (s *server) waitForCluster() {
	s.t.Helper()
	s.waitUntil("the cluster is whole", func() bool {
		return strings.Contains(s.mustCommand("CLUSTER INFO"), "cluster_state:ok")
	})
}

// TestClusterContract holds a cluster of one node to the contract. Such a node
// refuses a command or script whose keys are not all in one slot.
func TestClusterContract(t *testing.T) {
	t.Parallel() // a cluster takes seconds to be whole
	node, _ := newNode(t)
	node.mustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	node.waitForCluster()
	storetest.Run(t, func(*testing.T) store.Store { return node.openEmpty() })
}

// TestClusterNodes gives the url of a node that has none of the keys.
func TestClusterNodes(t *testing.T) {
	t.Parallel() // a cluster takes seconds to be whole
	bare, _ := newNode(t)
	full, bus := newNode(t)
	full.mustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	bare.mustCommand("CLUSTER MEET " + strings.Replace(full.addr, ":", " ", 1) + " " + bus)
	bare.waitForCluster()
	full.waitForCluster()

	s := bare.open()
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if full.mustCommand("HGET {tocsin}:items a/1") == "" {
		t.Error("a/1 is not where it belongs")
	}
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(mustGet(t, s, "a/1"))})
}

// TestClusterFailover: the node that has the keys dies, and another takes over.
func TestClusterFailover(t *testing.T) {
	t.Parallel() // a cluster takes seconds to be whole
	heir, _ := newNode(t)
	first, bus := newNode(t)
	first.mustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	heir.mustCommand("CLUSTER MEET " + strings.Replace(first.addr, ":", " ", 1) + " " + bus)
	heir.waitForCluster()
	first.waitForCluster()
	s := heir.open()
	mustCommit(t, s, set("a/1", "x"))

	first.kill()
	heir.mustCommand("CLUSTER DELSLOTSRANGE 0 16383")
	heir.mustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
	heir.waitForCluster()
	if it := mustGet(t, s, "a/1"); it.Version != 0 { // the heir had no copy
		t.Errorf("a/1 holds %q", it.Value)
	}
	mustCommit(t, s, set("a/1", "y"))
	if heir.mustCommand("HGET {tocsin}:items a/1") == "" {
		t.Error("a/1 is not with the heir")
	}
}
