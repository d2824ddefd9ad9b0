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

func (s *server) untilWhole() {
	s.t.Helper()
	s.until("the cluster is whole", func() bool {
		return strings.Contains(s.do("CLUSTER INFO"), "cluster_state:ok")
	})
}

// TestClusterContract holds a cluster of one node to the contract. Such a node
// refuses a command or script whose keys are not all in one slot.
func TestClusterContract(t *testing.T) {
	t.Parallel() // a cluster takes seconds to be whole
	node, _ := newNode(t)
	node.do("CLUSTER ADDSLOTSRANGE 0 16383")
	node.untilWhole()
	storetest.Run(t, func(*testing.T) store.Store { return node.empty() })
}

// TestClusterNodes gives the url of a node that has none of the keys.
func TestClusterNodes(t *testing.T) {
	t.Parallel() // a cluster takes seconds to be whole
	bare, _ := newNode(t)
	full, bus := newNode(t)
	full.do("CLUSTER ADDSLOTSRANGE 0 16383")
	bare.do("CLUSTER MEET " + strings.Replace(full.addr, ":", " ", 1) + " " + bus)
	bare.untilWhole()
	full.untilWhole()

	s := bare.open()
	for name, call := range calls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if full.do("HGET {tocsin}:items a/1") == "" {
		t.Error("a/1 is not where it belongs")
	}
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(mustGet(t, s, "a/1"))})
}

// TestClusterFailover: the node that has the keys dies, and another takes over.
func TestClusterFailover(t *testing.T) {
	t.Parallel() // a cluster takes seconds to be whole
	heir, _ := newNode(t)
	first, bus := newNode(t)
	first.do("CLUSTER ADDSLOTSRANGE 0 16383")
	heir.do("CLUSTER MEET " + strings.Replace(first.addr, ":", " ", 1) + " " + bus)
	heir.untilWhole()
	first.untilWhole()
	s := heir.open()
	mustCommit(t, s, set("a/1", "x"))

	first.kill()
	heir.do("CLUSTER DELSLOTSRANGE 0 16383")
	heir.do("CLUSTER ADDSLOTSRANGE 0 16383")
	heir.untilWhole()
	if it := mustGet(t, s, "a/1"); it.Version != 0 { // the heir had no copy
		t.Errorf("a/1 holds %q", it.Value)
	}
	mustCommit(t, s, set("a/1", "y"))
	if heir.do("HGET {tocsin}:items a/1") == "" {
		t.Error("a/1 is not with the heir")
	}
}
