package host

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// mark is that a host is offline, as it was told. While it is there the host has
// an alert.
type mark struct {
	// Since is the last report before the silence.
	Since time.Time `json:"since"`
	// Labels are those of the alert: it is ended by them when the configuration
	// gives the host others.
	Labels  alert.Labels `json:"labels"`
	Address string       `json:"address,omitempty"`
	// Reported is what the host reported last, in words.
	Reported string `json:"reported,omitempty"`

	id   string
	item store.Item
}

// alert is the alert of an offline host; alone tells that no host reports.
func (m *mark) alert(w *words, alone bool) *alert.Alert {
	name := m.Labels[alert.HostnameLabel]
	a := &alert.Alert{Labels: m.Labels, StartsAt: m.Since, Annotations: alert.Labels{}}
	if m.Address != "" {
		a.Annotations[alert.AddressAnnotation] = m.Address
		a.SetSummary(fmt.Sprintf(w.silent, name, m.Address))
	} else {
		a.SetSummary(fmt.Sprintf(w.offline, name))
	}
	a.Annotations.SetNonEmpty(alert.LastValuesAnnotation, m.Reported)
	if alone {
		a.SetDescription(w.nobody)
	}
	return a
}

// back is the end of the alert of a host that reports again.
func (m *mark) back(at time.Time, w *words, address string) *alert.Alert {
	a := m.over(at)
	a.SetSummary(fmt.Sprintf(w.online, m.Labels[alert.HostnameLabel]))
	a.Annotations.SetNonEmpty(alert.AddressAnnotation, address)
	return a
}

// gone is the end of the alert of a host that is silent still.
func (m *mark) gone(at time.Time, why string) *alert.Alert {
	a := m.over(at)
	text := fmt.Sprintf(why, m.Labels[alert.HostnameLabel])
	a.SetSummary(text)
	a.SetDescription(text)
	return a
}

func (m *mark) over(at time.Time) *alert.Alert {
	return &alert.Alert{Labels: m.Labels, StartsAt: m.Since, EndsAt: at, Annotations: alert.Labels{}}
}

// offlineLabels are those of the alert of a host that is offline.
func offlineLabels(h *Host) alert.Labels {
	l := maps.Clone(h.Labels)
	l[alert.NameLabel] = alert.HostOfflineAlert
	return l
}

// offline returns the hosts that were told to be offline.
func (w *Watcher) offline(ctx context.Context) ([]*mark, error) {
	var marks []*mark
	err := scan(ctx, w.Store, keyspace.HostOffline, func(it store.Item) error {
		m := &mark{id: it.Key[len(keyspace.HostOffline):], item: it}
		if _, err := store.Decode(it, m); err != nil {
			w.Log.Error("cannot read that a host is offline: its alert may have to be ended by hand", "host", m.id, "err", err)
			return nil
		}
		marks = append(marks, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read which hosts are offline: %w", err)
	}
	return marks, nil
}

// settle ends the alerts of hosts that are back, or not judged any more. It
// returns the others by id.
func (w *Watcher) settle(ctx context.Context, now time.Time, marks []*mark) (left map[string]*mark, err error) {
	left = make(map[string]*mark, len(marks))
	for some := range slices.Chunk(marks, batch) {
		ids := make([]string, len(some))
		for i, m := range some {
			ids[i] = m.id
		}
		known, err := w.know(ctx, ids)
		if err != nil {
			return nil, err
		}
		var ends []*alert.Alert
		var changes [][]store.Change
		for i, m := range some {
			end, after := w.judgeMark(now, m, known[i])
			if end == nil {
				left[m.id] = m
				continue
			}
			ends = append(ends, end)
			changes = append(changes, after)
		}
		if err := w.ingest(ctx, now, ends); err != nil {
			return nil, err
		}
		if _, err := w.commit(ctx, now, changes); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// judgeMark returns the end of an offline host's alert and what changes with it,
// nil when it goes on.
func (w *Watcher) judgeMark(now time.Time, m *mark, k sighting) (end *alert.Alert, changes []store.Change) {
	words := wordsIn(w.Language)
	unmark := store.Change{Key: m.item.Key, Delete: true, If: store.Unchanged(m.item)}
	register := w.Inventory.register
	switch {
	case k.host == nil:
		return m.gone(now, words.removed), []store.Change{unmark, drop(k.item)}
	case !k.host.Active:
		return m.gone(now, words.removed), []store.Change{unmark}
	case k.beat.Live.After(m.Since):
		back := k.beat.Live
		if k.beat.Up.After(m.Since) {
			back = k.beat.Up
		}
		return m.back(back, words, k.beat.Address), []store.Change{unmark}
	case k.host.owner != "" && now.Sub(m.Since) >= register.forgetAfter:
		return m.gone(now, words.removed), []store.Change{unmark, drop(k.item), {Key: keyspace.HostEnrolled + m.id, Delete: true}}
	case !maps.Equal(m.Labels, offlineLabels(k.host)):
		// It is silent still: the next look finds it again, under its new labels.
		return m.gone(now, words.renamed), []store.Change{unmark,
			{Key: k.item.Key, Value: k.item.Value, Due: now, If: store.Unchanged(k.item)}}
	default:
		return nil, nil
	}
}

func drop(it store.Item) store.Change {
	return store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
}
