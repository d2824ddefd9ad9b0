package silence

import (
	"context"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// maxCacheAge is how long silences are kept in memory without being read again. It
	// matters only for those that an instance of an earlier version has written, which
	// does not write keyspace.Silences.
	maxCacheAge = 5 * time.Minute
	// pageSize is the number of items that are read at a time.
	pageSize = 1000
	// maxReads is how often the silences are read at most, while they change.
	maxReads = 3
)

// touch returns the change that makes every instance read the silences again. It has
// no condition: only the new version matters.
func touch() store.Change { return store.Change{Key: keyspace.Silences, Value: []byte("1")} }

// cache is the stored silences at one time, compiled. It does not change.
type cache struct {
	touched uint64    // the version of keyspace.Silences
	readAt  time.Time // zero if nobody needed them at a time
	entries []entry   // in order of ids
	index   *matcher.Index
	indexed []*Silence // by position in the index
}

type entry struct {
	key      string
	version  uint64
	silence  *Silence        // nil if it cannot be read
	matchers labels.Matchers // nil if it is invalid
}

// current returns the stored silences, from memory if they have not changed.
func (ss *Silences) current(ctx context.Context, now time.Time) (*cache, error) {
	c := ss.cached.Load()
	if c == nil {
		return ss.readAll(ctx, now)
	}
	touched, err := ss.touched(ctx)
	if err != nil {
		return nil, err
	}
	if age := now.Sub(c.readAt); touched != c.touched || age < 0 || age > maxCacheAge {
		return ss.readAll(ctx, now)
	}
	return c, nil
}

func (ss *Silences) touched(ctx context.Context) (version uint64, err error) {
	items, err := ss.store.Get(ctx, keyspace.Silences)
	if err != nil {
		return 0, err
	}
	return items[0].Version, nil
}

// readAll reads the silences and keeps them in memory. It reads them again if they
// change meanwhile, since one that is replaced may be on none of the pages.
func (ss *Silences) readAll(ctx context.Context, now time.Time) (*cache, error) {
	c := &cache{readAt: now}
	for range maxReads {
		touched, err := ss.touched(ctx)
		if err != nil {
			return nil, err
		}
		if c.entries != nil && touched == c.touched {
			break
		}
		c.touched = touched
		if c.entries, err = ss.readEntries(ctx); err != nil {
			return nil, err
		}
	}
	var sets []labels.Matchers
	for _, e := range c.entries {
		if e.matchers != nil {
			sets, c.indexed = append(sets, e.matchers), append(c.indexed, e.silence)
		}
	}
	c.index = matcher.NewIndex(sets)
	ss.cached.Store(c)
	return c, nil
}

// readEntries reads the silences. Those that are in memory in the stored version are
// not decoded and compiled again.
func (ss *Silences) readEntries(ctx context.Context) ([]entry, error) {
	known := map[string]entry{}
	if c := ss.cached.Load(); c != nil {
		for _, e := range c.entries {
			known[e.key] = e
		}
	}
	entries := []entry{}
	for page, err := range store.Pages(ctx, ss.store, keyspace.Silence, pageSize) {
		if err != nil {
			return nil, err
		}
		for _, it := range page {
			e, ok := known[it.Key]
			if !ok || e.version != it.Version {
				e = ss.newEntry(it)
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func (ss *Silences) newEntry(it store.Item) entry {
	e := entry{key: it.Key, version: it.Version}
	var s Silence
	if _, err := store.Decode(it, &s); err != nil {
		ss.log.Error("cannot read a silence; it mutes nothing", "key", it.Key, "err", err)
		return e
	}
	e.silence = &s
	var err error
	if e.matchers, err = s.compile(); err != nil {
		ss.log.Error("a stored silence is invalid; it mutes nothing", "id", s.ID, "err", err)
	} else if err := s.checkRegexps(); err != nil {
		ss.log.Warn("a stored silence is expensive to match; replace it by a simpler one", "id", s.ID, "err", err)
	}
	return e
}

// Muter finds the silences that mute an alert at one time. It is safe for concurrent
// use.
type Muter struct {
	cache *cache
	now   time.Time
}

// MutedBy returns the ids of the silences that mute an alert with these labels, in
// order. See [matcher.Index] for the work.
func (m *Muter) MutedBy(l alert.Labels) (ids []string) {
	for _, i := range m.cache.index.Matching(l) {
		if s := m.cache.indexed[i]; s.State(m.now) == Active {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
