package keyspace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash returns 32 hexadecimal digits that identify parts, for a key of fixed
// length. The parts may hold any bytes, and their borders count: ("a", "bc") and
// ("ab", "c") differ.
func Hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
