package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tocsin/pkg/store"
)

const (
	// dueBatch is the number of due entries that are read at a time, and dueDeep that
	// with which entries are sought behind those of busy integrations, if they are
	// small: if dueBatch of them have less than maxBatchBytes.
	dueBatch = 500
	dueDeep  = 4000
)

// Workers send the entries that are due: one worker for each integration that has
// some, so that an integration which hangs delays no other. Their number is that of
// the integrations, of which each leases no more than it will send soon.
type Workers struct {
	outbox *Outbox
	budget *Budget
	ctx    context.Context // for the store
	now    func() time.Time
	ended  func() // called after a worker has ended

	assigning sync.Mutex // held while workers are started, or must not be

	mu       sync.Mutex
	busy     map[string]bool              // names of integrations
	optional map[string][]optionalMessage // that may be sent when an integration has nothing due
	unsent   []store.Change               // that give back leased entries which were not sent
	sent     int
	err      error
	running  sync.WaitGroup
}

// NewWorkers returns workers that store with ctx and stop when the budget is spent.
// now is their clock; ended is called, by any goroutine, whenever one of them has ended.
func (o *Outbox) NewWorkers(ctx context.Context, b *Budget, now func() time.Time, ended func()) *Workers {
	return &Workers{
		outbox: o, budget: b, ctx: ctx, now: now, ended: ended,
		busy: map[string]bool{}, optional: map[string][]optionalMessage{},
	}
}

// Assignment is the result of Assign.
type Assignment struct {
	// Started is the number of workers that were started.
	Started int
	// Waiting reports that entries are due whose integrations are busy. They are
	// assigned after the worker has ended.
	Waiting bool
}

// Assign leases due entries of integrations that are not busy, oldest first, and
// starts a worker for each of these. It waits for the store only, whose errors it
// returns.
func (w *Workers) Assign(ctx context.Context) (total Assignment, err error) {
	w.assigning.Lock()
	defer w.assigning.Unlock()
	for !w.budget.Spent() {
		if err := w.giveBackUnsent(ctx); err != nil {
			return total, err
		}
		var s schedule
		err := store.RetryOnConflict(ctx, func() (err error) {
			if s, err = w.schedule(ctx); err != nil || len(s.changes) == 0 {
				return err
			}
			s.leased = wallClock()
			defer func(began time.Time) { w.budget.Observe(time.Since(began)) }(time.Now())
			return w.outbox.store.Commit(ctx, w.now(), s.changes...)
		})
		if errors.Is(err, store.ErrConflict) {
			// Other instances lease the same entries, and deliver them.
			return Assignment{Started: total.Started, Waiting: true}, nil
		}
		if err != nil {
			return total, err
		}
		started, err := w.start(ctx, s)
		total.Started += started
		total.Waiting = total.Waiting || s.waiting
		if err != nil || !s.full || len(s.changes) == 0 {
			return total, err
		}
	}
	return total, nil
}

// schedule is what to do about the entries that are due.
type schedule struct {
	batches []*batch
	changes []store.Change       // leases, and entries that are put off
	waiting bool                 // entries of busy integrations are due
	full    bool                 // more entries may be due than were read
	keep    int                  // how many entries of an integration may conceal others
	due     map[string][]dueItem // by integration
	leased  time.Time            // by the wall clock, when the commit of the leases began
}

// batch is the leased entries of one integration.
type batch struct {
	name     string // of the integration, with its receiver
	entries  []*Entry
	size     int               // how many of the entries will be sent soon
	optional []optionalMessage // to send, if there are no entries
}

// dueItem is a due entry of which the head was decoded.
type dueItem struct {
	store.Item
	head entryHead
}

// schedule reads the due entries and decides about them.
func (w *Workers) schedule(ctx context.Context) (s schedule, err error) {
	now, began := w.now(), time.Now()
	limit := dueBatch
	due, err := w.outbox.store.Due(ctx, Queue, now, limit)
	w.budget.Observe(time.Since(began))
	if err == nil && len(due) == limit && totalSize(due) < maxBatchBytes {
		limit = dueDeep
		due, err = w.outbox.store.Due(ctx, Queue, now, limit)
	}
	if err != nil {
		return s, err
	}
	s.full = len(due) == limit
	queues := map[string][]dueItem{}
	var names []string // in the order of their oldest entries
	for _, it := range due {
		head, err := readHead(it)
		if err != nil {
			s.unreadable(w.outbox, now, it, err)
			continue
		}
		name := head.Receiver + "/" + integrationName(head.Kind, head.Index)
		if queues[name] == nil {
			names = append(names, name)
		}
		queues[name] = append(queues[name], dueItem{it, head})
	}
	for _, queue := range queues {
		slices.SortStableFunc(queue, func(a, b dueItem) int { return a.head.Scheduled.Compare(b.head.Scheduled) })
	}
	s.keep = max(1, limit/2/max(1, len(names)))
	for _, name := range names {
		if err := w.scheduleQueue(&s, now, name, queues[name]); err != nil {
			return s, err
		}
	}
	s.due = queues
	return s, nil
}

// unreadable puts off an entry that cannot be read: a newer version may have written
// it and can deliver it.
func (s *schedule) unreadable(o *Outbox, now time.Time, it store.Item, err error) {
	o.log.Error("cannot read a pending notification; it is retried later", "key", it.Key, "err", err)
	s.changes = append(s.changes, store.Reschedule(it, now.Add(unreadableRetry)))
}

// scheduleQueue leases the first of an integration's due entries, unless it is busy
// or its channel must not be tried yet. Entries that must wait, or that conceal
// those of other integrations, are put off.
func (w *Workers) scheduleQueue(s *schedule, now time.Time, name string, queue []dueItem) error {
	o := w.outbox
	if until, waits := o.integrations.waitUntil(name, now); waits {
		return s.putOffAll(queue, func(i int) time.Time { return until.Add(time.Duration(i+1) * time.Millisecond) })
	}
	cost := w.cost(name, queue[0].head)
	if !w.isBusy(name) {
		b := &batch{name: name, size: w.batchSize(cost)}
		take := min(b.size, len(queue))
		if in, ok := o.integrationOf(queue[0].head); ok && len(in.Kind.Quotas) > 0 {
			take = len(queue) // a digest has all of them
		}
		bytes := 0
		for len(queue) > 0 && len(b.entries) < take && (bytes == 0 || bytes+len(queue[0].Value) <= maxBatchBytes) {
			it := queue[0].Item
			queue = queue[1:]
			bytes += len(it.Value)
			e := &Entry{item: it}
			if _, err := store.Decode(it, e); err != nil {
				s.unreadable(o, now, it, err)
				continue
			}
			e.Holder = ""
			c, err := o.leaseChange(now, e)
			if err != nil {
				return err
			}
			c.If = store.Unchanged(it)
			s.changes = append(s.changes, c)
			b.entries = append(b.entries, e)
		}
		if len(b.entries) > 0 {
			s.batches = append(s.batches, b)
		}
	}
	s.waiting = s.waiting || len(queue) > 0
	if !s.full || len(queue) <= s.keep {
		return nil
	}
	// Each until the worker is expected to have sent those before it.
	return s.putOffAll(queue[s.keep:], func(i int) time.Time {
		return now.Add(min(time.Duration(s.keep+i)*cost, maxPutOff) + time.Duration(i)*time.Millisecond)
	})
}

// totalSize returns the size of items in the store.
func totalSize(items []store.Item) (size int) {
	for _, it := range items {
		size += len(it.Value)
	}
	return size
}

// putOffAll puts off entries, the ith until due(i).
func (s *schedule) putOffAll(queue []dueItem, due func(i int) time.Time) error {
	for i, it := range queue {
		c, err := putOff(it.Item, it.head, due(i))
		if err != nil {
			return err
		}
		s.changes = append(s.changes, c)
	}
	return nil
}

// cost returns the time that an entry of the integration takes.
func (w *Workers) cost(name string, head entryHead) time.Duration {
	commands := 1 // the result
	if in, ok := w.outbox.integrationOf(head); ok {
		if len(in.Kind.Quotas) > 0 {
			commands += 2
		}
		if in.Kind.AtMostOnce {
			commands += 2
		}
	}
	return w.outbox.integrations.cost(name, commands, w.budget.RoundTrip())
}

// batchSize returns how many entries, each of which takes cost, will be sent soon.
func (w *Workers) batchSize(cost time.Duration) int {
	return int(max(1, min(batchTime/cost, w.budget.left()/cost, maxBatch)))
}

func (w *Workers) isBusy(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy[name]
}

// takeOptional returns batches of the optional messages of integrations that are not
// busy and have nothing due, so that nothing waits for them.
func (w *Workers) takeOptional(due map[string][]dueItem) (batches []*batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, messages := range w.optional {
		if !w.busy[name] && due[name] == nil {
			batches = append(batches, &batch{name: name, optional: messages})
			delete(w.optional, name)
		}
	}
	return batches
}

// start starts a worker for each batch of a schedule whose leases were committed.
func (w *Workers) start(ctx context.Context, s schedule) (started int, err error) {
	var leased []*Entry
	for _, b := range s.batches {
		leased = append(leased, b.entries...)
	}
	held, err := w.outbox.confirmLeases(ctx, s.leased, leased)
	if err != nil {
		return 0, err
	}
	if !s.full {
		s.batches = append(s.batches, w.takeOptional(s.due)...)
	}
	isHeld := make(map[*Entry]bool, len(held))
	for _, e := range held {
		isHeld[e] = true
	}
	for _, b := range s.batches {
		var entries []*Entry
		for _, e := range b.entries {
			if isHeld[e] {
				entries = append(entries, e)
			}
		}
		if b.entries = entries; len(entries)+len(b.optional) == 0 {
			continue
		}
		w.mu.Lock()
		w.busy[b.name] = true
		w.mu.Unlock()
		started++
		w.running.Go(func() { w.work(b) })
	}
	return started, nil
}

// work sends a batch.
func (w *Workers) work(b *batch) {
	var err error
	if len(b.entries) > 0 {
		err = w.deliver(b)
	} else {
		w.count(w.outbox.sendOptional(w.budget, w.now(), b.optional))
	}
	w.mu.Lock()
	delete(w.busy, b.name)
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.ended()
}

// count counts messages that channels accepted.
func (w *Workers) count(sent int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += sent
}

// Result returns the number of messages that channels have accepted, and the first
// error of the store, since the last call.
func (w *Workers) Result() (sent int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent, err = w.sent, w.err
	w.sent, w.err = 0, nil
	return sent, err
}

// anyBusy reports whether a worker is running.
func (w *Workers) anyBusy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.busy) > 0
}

// failed reports whether a worker has ended because the store failed.
func (w *Workers) failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

// giveBackUnsent gives back, in one commit, what workers have leased and not sent.
func (w *Workers) giveBackUnsent(ctx context.Context) error {
	w.mu.Lock()
	unsent := w.unsent
	w.unsent = nil
	w.mu.Unlock()
	return store.CommitEach(ctx, w.outbox.store, w.now(), unsent)
}

// Wait waits until all workers have ended, and then gives back the entries that they
// have leased and not sent. Meanwhile none is started.
func (w *Workers) Wait() error {
	w.assigning.Lock()
	defer w.assigning.Unlock()
	w.running.Wait()
	return w.giveBackUnsent(w.ctx)
}
