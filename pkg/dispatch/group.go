package dispatch

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// alertRecord is an alert as the store keeps it.
type alertRecord struct {
	*alert.Alert
	// Groups are the ids of the groups that hold the alert.
	Groups []string
}

// MarshalBinary writes the alert, and then the groups, a line each.
func (r alertRecord) MarshalBinary() ([]byte, error) {
	b, err := r.AppendBinary(make([]byte, 0, 512))
	return append(b, strings.Join(r.Groups, "\n")...), err
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (r *alertRecord) UnmarshalBinary(b []byte) error {
	r.Alert = new(alert.Alert)
	groups, err := r.ReadBinary(b)
	if len(groups) > 0 {
		r.Groups = strings.Split(string(groups), "\n")
	}
	return err
}

// header is what the store keeps of a group beside its members. When it is due
// is the group's timer.
type header struct {
	// Grid is the group's next regular flush; it may be due before, by
	// repeat_schedule or resolved_at_once.
	NextFlush time.Time `json:"grid"`
	// Flushed tells that the group has had its group_wait.
	Flushed bool `json:"flushed,omitempty"`

	RouteID string       `json:"route"`
	Key     string       `json:"key"`
	Labels  alert.Labels `json:"labels,omitempty"`
}

func alertKey(fp alert.Fingerprint) string { return "alert/" + fp.String() }
func groupKey(gid string) string           { return kindGroup + "/" + gid }
func memberPrefix(gid string) string       { return "member/" + gid + "/" }
func memberKey(gid string, fp alert.Fingerprint) string {
	return memberPrefix(gid) + fp.String()
}
func logKey(gid, receiver string, in Integration) string {
	return "log/" + gid + "/" + receiver + "/" + in.name()
}

// name identifies the integration within its receiver.
func (in Integration) name() string { return in.Kind.Name + "/" + strconv.Itoa(in.Index) }

// groupID shortens the identity of a group to a key of fixed length. Routes of
// equal Key but different ID have groups of their own.
func groupID(routeID, key string) string { return digest(routeID, key) }

// digest hashes parts, which may hold anything, to 32 hexadecimal digits.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		// Lengths keep ("a","bc") and ("ab","c") apart.
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// put is a change that writes v: in its binary form if it has one, else as JSON.
func put(key string, v any) (store.Change, error) {
	marshal := func() ([]byte, error) { return json.Marshal(v) }
	if m, ok := v.(encoding.BinaryMarshaler); ok {
		marshal = m.MarshalBinary
	}
	b, err := marshal()
	if err != nil {
		return store.Change{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return store.Change{Key: key, Value: b}, nil
}

// read decodes what put wrote. It reports whether the key is there.
func read(it store.Item, v any) (bool, error) {
	if it.Version == 0 {
		return false, nil
	}
	unmarshal := func(b []byte) error { return json.Unmarshal(b, v) }
	if m, ok := v.(encoding.BinaryUnmarshaler); ok {
		unmarshal = m.UnmarshalBinary
	}
	if err := unmarshal(it.Value); err != nil {
		return false, fmt.Errorf("the store holds %s in a form that this version does not know: %w", it.Key, err)
	}
	return true, nil
}
