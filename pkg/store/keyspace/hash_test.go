package keyspace_test

import (
	"testing"

	"tocsin/pkg/store/keyspace"
)

// TestHash holds the hashes to what released versions wrote.
func TestHash(t *testing.T) {
	for _, test := range []struct {
		name  string
		parts []string
		want  string
	}{
		{"no parts", nil, "e3b0c44298fc1c149afbf4c8996fb924"},
		{"two parts", []string{"a", "bc"}, "5310a58788781ab25d5ad7c3f8503582"},
		{"the same bytes, other parts", []string{"ab", "c"}, "430fb1b4ac43316eca81fab27a1930ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := keyspace.Hash(test.parts...); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
