package trend

import "time"

// Commit is one commit in Burrow's window.
type Commit struct {
	Offset int64
	Time   int64 // unix milliseconds
	// Lag is how far the commit was behind the end when it arrived; valid when
	// LagKnown.
	Lag      int64
	LagKnown bool
}

// BurrowStatus is a status as Burrow numbers them.
type BurrowStatus int

// Burrow's statuses. BurrowErr is that of a group; those after it are of
// partitions.
const (
	BurrowNotFound BurrowStatus = iota
	BurrowOK
	BurrowWarn
	BurrowErr
	BurrowStop
	BurrowStall
	BurrowRewind
)

// String returns Burrow's name of the status.
func (s BurrowStatus) String() string {
	names := [...]string{"NOTFOUND", "OK", "WARN", "ERR", "STOP", "STALL", "REWIND"}
	if s < 0 || int(s) >= len(names) {
		return "UNKNOWN"
	}
	return names[s]
}

// Burrow judges a partition exactly as Burrow does: by its last commits, oldest
// first, and the log ends of its last polls. allowed is Burrow's allowed-lag. It
// repeats Burrow's false alarms, which the default states are there to avoid.
// Without a commit it is OK, as in Burrow.
func Burrow(commits []Commit, ends []int64, currentLag int64, now time.Time, allowed int64) BurrowStatus {
	switch {
	case len(commits) == 0 || currentLag <= allowed:
		return BurrowOK
	case stopped(commits, now) && !recentlyRead(commits, ends):
		return BurrowStop
	case rewound(commits):
		return BurrowRewind
	case hadNothing(commits, allowed):
		return BurrowOK
	case stalled(commits):
		return BurrowStall
	case neverFell(commits):
		return BurrowWarn
	}
	return BurrowOK
}

// BurrowGroup is the status of a group by those of its partitions: the worst,
// with the errors of partitions as ERR. A group without partitions is OK.
func BurrowGroup(partitions []BurrowStatus) BurrowStatus {
	worst := BurrowOK
	for _, s := range partitions {
		worst = max(worst, min(s, BurrowErr))
	}
	return worst
}

// Burrow judges a partition as Burrow would if its group had committed at each
// poll. Of a group without members, which commits nothing, the polls that only
// saw the last commit again are left out. NOTFOUND is what the window never saw.
func (w *Window) Burrow(group, topic string, id int32, allowed int64, now time.Time) BurrowStatus {
	r, members, ok := w.find(group, topic, id)
	if !ok {
		return BurrowNotFound
	}
	var commits []Commit
	var ends []int64
	polls := w.polls()
	for i := range r.polls() {
		s := r.samples[i]
		commits = append(commits, Commit{Offset: s.commit, Time: polls[i], Lag: s.lag, LagKnown: true})
		ends = append(ends, s.end)
	}
	if len(commits) == 0 {
		return BurrowOK
	}
	lag := commits[len(commits)-1].Lag
	for n := len(commits); members == NoMembers && n > 1 && commits[n-1].Offset == commits[n-2].Offset; n-- {
		commits = commits[:n-1]
	}
	return Burrow(commits, ends, lag, now, allowed)
}

// stopped is Burrow's rule 3: the last commit is longer ago than the window is
// long.
func stopped(commits []Commit, now time.Time) bool {
	oldest, newest := commits[0].Time, commits[len(commits)-1].Time
	return now.Unix()*1000-newest > newest-oldest
}

// recentlyRead is Burrow's "recent lag zero".
func recentlyRead(commits []Commit, ends []int64) bool {
	for _, end := range ends {
		if end <= commits[len(commits)-1].Offset {
			return true
		}
	}
	return false
}

// rewound is Burrow's rule 2, which looks no further than the first rewind.
func rewound(commits []Commit) bool {
	for i := 1; i < len(commits); i++ {
		if before := commits[i-1].Offset; commits[i].Offset < before {
			for _, c := range commits[i+1:] {
				if c.Offset >= before {
					return false
				}
			}
			return true
		}
	}
	return false
}

// hadNothing is Burrow's rule 1.
func hadNothing(commits []Commit, allowed int64) bool {
	for _, c := range commits {
		if c.LagKnown && c.Lag <= allowed {
			return true
		}
	}
	return false
}

// stalled is Burrow's rule 4.
func stalled(commits []Commit) bool {
	for _, c := range commits {
		if c.Offset != commits[0].Offset {
			return false
		}
	}
	return true
}

// neverFell is Burrow's rule 5: known lags never fall from one to the next.
func neverFell(commits []Commit) bool {
	before := int64(-1)
	for _, c := range commits {
		if c.LagKnown {
			if c.Lag < before {
				return false
			}
			before = c.Lag
		}
	}
	return true
}
