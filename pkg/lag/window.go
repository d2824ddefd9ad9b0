package lag

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// A cluster's window is stored beside its state, in chunks under
// keyspace.LagTrend + cluster + "/0000" and so on. Each begins with when the window
// took its last poll in, in unix milliseconds, and of how many chunks it is.
const (
	chunkHeader = 8 + 2
	maxChunks   = 1000
)

// pictureStep is how often the history of lag is stored of a cluster whose rules
// need no more than its picture, while nothing else is stored of it.
const pictureStep = 5 * time.Minute

// chunks are the stored parts of a cluster's window, in order.
type chunks []store.Item

// window decodes the chunks; nil when there are none.
func (c chunks) window() (*trend.Window, error) {
	if len(c) == 0 {
		return nil, nil
	}
	parts := make([][]byte, len(c))
	for i, it := range c {
		if len(it.Value) < chunkHeader || string(it.Value[:chunkHeader]) != string(c[0].Value[:chunkHeader]) ||
			int(binary.BigEndian.Uint16(it.Value[8:])) != len(c) {
			return nil, errors.New("its parts do not belong together")
		}
		parts[i] = it.Value[chunkHeader:]
	}
	return trend.Decode(parts)
}

// last is when the window took its last poll in, zero without one.
func (c chunks) last() time.Time {
	if len(c) == 0 || len(c[0].Value) < chunkHeader {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(c[0].Value)))
}

// changes are what stores a window in place of the chunks, as long as nobody else
// has changed them.
func (c chunks) changes(cluster string, w *trend.Window, now time.Time) ([]store.Change, error) {
	parts, err := w.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the window of lag: %w", err)
	}
	if len(parts) > maxChunks {
		return nil, fmt.Errorf("the window of lag has %d parts, %d at most can be stored: narrow the cluster's groups and topics", len(parts), maxChunks)
	}
	var out []store.Change
	for i := range max(len(parts), len(c)) {
		it := store.Item{Key: fmt.Sprintf("%s%s/%04d", keyspace.LagTrend, cluster, i)}
		if i < len(c) {
			it = c[i]
		}
		change := store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
		if i < len(parts) {
			value := make([]byte, 0, chunkHeader+len(parts[i]))
			value = binary.BigEndian.AppendUint64(value, uint64(now.UnixMilli()))
			value = binary.BigEndian.AppendUint16(value, uint16(len(parts)))
			change = store.Change{Key: it.Key, Value: append(value, parts[i]...), If: store.Unchanged(it)}
		}
		out = append(out, change)
	}
	return out, nil
}

// stored is what is stored of a cluster.
type stored struct {
	state  store.Item
	window chunks
}

// load returns what is stored of all clusters by name, those that are no longer
// configured too.
func (w *Watcher) load(ctx context.Context) (map[string]*stored, error) {
	const page = 100
	all := map[string]*stored{}
	of := func(cluster string) *stored {
		if all[cluster] == nil {
			all[cluster] = &stored{state: store.Item{Key: keyspace.Lag + cluster}}
		}
		return all[cluster]
	}
	for after := ""; ; {
		items, err := w.Store.List(ctx, keyspace.LagAll, after, page)
		if err != nil {
			return nil, fmt.Errorf("read the state of lag: %w", err)
		}
		for _, it := range items {
			after = it.Key
			if cluster, ok := strings.CutPrefix(it.Key, keyspace.Lag); ok {
				of(cluster).state = it
			} else if cluster, ok := chunkOf(it.Key); ok {
				of(cluster).window = append(of(cluster).window, it)
			}
		}
		if len(items) < page {
			return all, nil
		}
	}
}

// chunkOf returns the cluster of a chunk's key.
func chunkOf(key string) (cluster string, ok bool) {
	rest, ok := strings.CutPrefix(key, keyspace.LagTrend)
	if !ok {
		return "", false
	}
	i := strings.LastIndexByte(rest, '/')
	return rest[:max(i, 0)], i >= 0
}

// LoadWindow returns the stored window of a cluster; nil when there is none.
func LoadWindow(ctx context.Context, st store.Store, cluster string) (*trend.Window, error) {
	items, err := st.List(ctx, keyspace.LagTrend+cluster+"/", "", maxChunks)
	if err != nil {
		return nil, fmt.Errorf("read the window of cluster %s: %w", cluster, err)
	}
	var c chunks
	for _, it := range items {
		if of, ok := chunkOf(it.Key); ok && of == cluster {
			c = append(c, it)
		}
	}
	w, err := c.window()
	if err != nil {
		return nil, fmt.Errorf("read the window of cluster %s (%s%s): %w", cluster, keyspace.LagTrend, cluster, err)
	}
	return w, nil
}
