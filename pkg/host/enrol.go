package host

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// enrolment is what is kept of a host that enrolled itself.
type enrolment struct {
	Token string    `json:"token"`
	At    time.Time `json:"at"`
}

// enrols tells whether a sender may enrol a host of this id.
func (inv *Inventory) enrols(from Sender, id string) bool {
	return inv.register != nil && slices.Contains(inv.register.tokens, from.Token) && unfitID(id) == "" &&
		(len(from.Hosts) == 0 || slices.Contains(from.Hosts, id))
}

// enrolled returns the host that enrolled itself, nil when there is none.
func (inv *Inventory) enrolled(id string, it store.Item) (*Host, error) {
	if inv.register == nil {
		return nil, nil
	}
	var e enrolment
	if there, err := store.Decode(it, &e); !there || err != nil {
		return nil, err
	}
	return inv.newcomer(id, e.Token), nil
}

// enrol returns the changes that enrol a host, with its first report. All
// enrolments change one key, so that no two at a time pass the bound.
func (r *Registry) enrol(ctx context.Context, now time.Time, h *Host) ([]store.Change, error) {
	items, err := r.Store.Get(ctx, keyspace.HostEnrolment, keyspace.HostEnrolled+h.ID)
	if err != nil {
		return nil, err
	}
	if items[1].Version != 0 {
		return nil, nil // by another report, a moment ago
	}
	most := r.Inventory.register.max
	there, err := r.Store.List(ctx, keyspace.HostEnrolled, "", most)
	if err != nil {
		return nil, err
	}
	if len(there) >= most {
		return nil, ErrFull
	}
	self, err := store.Encode(items[1].Key, enrolment{h.owner, now.UTC()})
	if err != nil {
		return nil, err
	}
	self.If = store.Unchanged(items[1])
	last := store.Change{Key: keyspace.HostEnrolment, Value: []byte(`"` + h.ID + `"`), If: store.Unchanged(items[0])}
	return []store.Change{self, last}, nil
}
