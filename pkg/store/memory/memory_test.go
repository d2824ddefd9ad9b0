package memory

import (
	"testing"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return New() })
}

func TestExpiry(t *testing.T) {
	storetest.RunExpiry(t, New(), expiredPerCommit)
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(*testing.B) store.Store { return New() })
}
