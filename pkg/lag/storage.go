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

// The window of a cluster is stored in chunks under keyspace.LagTrend + cluster +
// "/0000" and so on. Each begins with the time of the last poll, in Unix
// milliseconds, and the number of chunks.
const (
	chunkHeader = 8 + 2
	maxChunks   = 1000
)

// chunks are the stored chunks of a window, in order.
type chunks []store.Item

// window decodes the chunks; it returns nil without any.
func (c chunks) window() (*trend.Window, error) {
	if len(c) == 0 {
		return nil, nil
	}
	var w *trend.Window
	parts := make([][]byte, len(c))
	for i, it := range c {
		decode := func(value []byte) (err error) {
			if len(value) < chunkHeader || string(value[:chunkHeader]) != string(c[0].Value[:chunkHeader]) ||
				int(binary.BigEndian.Uint16(value[8:])) != len(c) {
				return errors.New("its chunks are not from the same poll")
			}
			if parts[i] = value[chunkHeader:]; i == len(c)-1 {
				w, err = trend.Decode(parts)
			}
			return err
		}
		if _, err := store.DecodeWith(it, decode); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// lastPoll returns the time of the last poll in the window, zero without one.
func (c chunks) lastPoll() time.Time {
	if len(c) == 0 || len(c[0].Value) < chunkHeader {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(c[0].Value)))
}

// changes returns the changes that replace the chunks by a window, on condition
// that they are unchanged.
func (c chunks) changes(cluster string, w *trend.Window, now time.Time) ([]store.Change, error) {
	parts, err := w.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode lag window: %w", err)
	}
	if len(parts) > maxChunks {
		return nil, fmt.Errorf("the lag window has %d chunks, at most %d can be stored: restrict the cluster's groups and topics", len(parts), maxChunks)
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

// storedCluster is the stored data of a cluster.
type storedCluster struct {
	state  store.Item
	window chunks
}

// loadStored returns the stored data of all clusters by name, including those that
// are no longer configured.
func (w *Watcher) loadStored(ctx context.Context) (map[string]*storedCluster, error) {
	const pageSize = 100
	all := map[string]*storedCluster{}
	get := func(cluster string) *storedCluster {
		if all[cluster] == nil {
			all[cluster] = &storedCluster{state: store.Item{Key: keyspace.Lag + cluster}}
		}
		return all[cluster]
	}
	for page, err := range store.Pages(ctx, w.Store, keyspace.LagAll, pageSize) {
		if err != nil {
			return nil, fmt.Errorf("read lag state: %w", err)
		}
		for _, it := range page {
			if cluster, ok := strings.CutPrefix(it.Key, keyspace.Lag); ok {
				get(cluster).state = it
			} else if cluster, ok := clusterOfChunk(it.Key); ok {
				get(cluster).window = append(get(cluster).window, it)
			}
		}
	}
	return all, nil
}

// clusterOfChunk returns the cluster of a chunk's key.
func clusterOfChunk(key string) (cluster string, ok bool) {
	rest, ok := strings.CutPrefix(key, keyspace.LagTrend)
	if !ok {
		return "", false
	}
	i := strings.LastIndexByte(rest, '/')
	return rest[:max(i, 0)], i >= 0
}

// LoadState returns the stored state of a cluster, nil if there is none.
func LoadState(ctx context.Context, st store.Store, cluster string) (*ClusterState, error) {
	items, err := st.Get(ctx, keyspace.Lag+cluster)
	if err != nil {
		return nil, fmt.Errorf("read the state of cluster %s: %w", cluster, err)
	}
	state, err := decodeStateItem(items[0])
	if err != nil {
		return nil, fmt.Errorf("read the state of cluster %s: %w", cluster, err)
	}
	return state, nil
}

func decodeStateItem(it store.Item) (state *ClusterState, err error) {
	_, err = store.DecodeWith(it, func(value []byte) error {
		state, err = DecodeState(value)
		return err
	})
	return state, err
}

// LoadWindow returns the stored window of a cluster, nil if there is none.
func LoadWindow(ctx context.Context, st store.Store, cluster string) (*trend.Window, error) {
	items, err := st.List(ctx, keyspace.LagTrend+cluster+"/", "", maxChunks)
	if err != nil {
		return nil, fmt.Errorf("read the window of cluster %s: %w", cluster, err)
	}
	var c chunks
	for _, it := range items {
		if owner, ok := clusterOfChunk(it.Key); ok && owner == cluster {
			c = append(c, it)
		}
	}
	w, err := c.window()
	if err != nil {
		return nil, fmt.Errorf("read the window of cluster %s (%s%s): %w", cluster, keyspace.LagTrend, cluster, err)
	}
	return w, nil
}
