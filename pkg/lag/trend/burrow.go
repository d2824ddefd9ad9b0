package trend

import "time"

// Commit is one commit in Burrow's window.
type Commit struct {
	Offset int64
	Time   int64 // unix milliseconds
	// Lag is how far the commit was behind the end when it arrived. It is valid
	// if LagKnown.
	Lag      int64
	LagKnown bool
}

// BurrowStatus is a status, numbered as in Burrow.
type BurrowStatus int

// Burrow's statuses. BurrowErr is only for groups; those after it are only for
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

// Burrow evaluates a partition exactly as Burrow does, from its recent commits,
// oldest first, and the log ends of the recent polls. allowed is Burrow's
// allowed-lag. It reproduces Burrow's false alarms, which [Window.Partition]
// avoids. Without a commit it returns BurrowOK, as Burrow does.
func Burrow(commits []Commit, ends []int64, currentLag int64, now time.Time, allowed int64) BurrowStatus {
	switch {
	case len(commits) == 0 || currentLag <= allowed:
		return BurrowOK
	case stopped(commits, now) && !caughtUpRecently(commits, ends):
		return BurrowStop
	case rewound(commits):
		return BurrowRewind
	case lagWasAllowed(commits, allowed):
		return BurrowOK
	case stalled(commits):
		return BurrowStall
	case lagNeverDecreased(commits):
		return BurrowWarn
	}
	return BurrowOK
}

// BurrowGroup returns the status of a group with these partitions: the most
// severe one, where an error of a partition becomes BurrowErr. It returns
// BurrowOK for a group without partitions.
func BurrowGroup(partitions []BurrowStatus) BurrowStatus {
	worst := BurrowOK
	for _, s := range partitions {
		worst = max(worst, min(s, BurrowErr))
	}
	return worst
}

// Burrow evaluates a partition as Burrow would if its group had committed at
// each poll. For a group without members, which commits nothing, polls that
// repeat the last commit are left out. It returns BurrowNotFound for a
// partition that no poll has.
func (w *Window) Burrow(group, topic string, id int32, allowed int64, now time.Time) BurrowStatus {
	r, members, ok := w.findRow(group, topic, id)
	if !ok {
		return BurrowNotFound
	}
	var commits []Commit
	var ends []int64
	polls := w.pollTimes()
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

// stopped is Burrow's rule 3: the time since the last commit is longer than the
// window.
func stopped(commits []Commit, now time.Time) bool {
	oldest, newest := commits[0].Time, commits[len(commits)-1].Time
	return now.Unix()*1000-newest > newest-oldest
}

// caughtUpRecently is Burrow's "recent lag zero" check.
func caughtUpRecently(commits []Commit, ends []int64) bool {
	for _, end := range ends {
		if end <= commits[len(commits)-1].Offset {
			return true
		}
	}
	return false
}

// rewound is Burrow's rule 2, which examines only the first rewind.
func rewound(commits []Commit) bool {
	for i := 1; i < len(commits); i++ {
		if previous := commits[i-1].Offset; commits[i].Offset < previous {
			for _, c := range commits[i+1:] {
				if c.Offset >= previous {
					return false
				}
			}
			return true
		}
	}
	return false
}

// lagWasAllowed is Burrow's rule 1: some commit had at most the allowed lag.
func lagWasAllowed(commits []Commit, allowed int64) bool {
	for _, c := range commits {
		if c.LagKnown && c.Lag <= allowed {
			return true
		}
	}
	return false
}

// stalled is Burrow's rule 4: all commits have the same offset.
func stalled(commits []Commit) bool {
	for _, c := range commits {
		if c.Offset != commits[0].Offset {
			return false
		}
	}
	return true
}

// lagNeverDecreased is Burrow's rule 5: no known lag is below the one before.
func lagNeverDecreased(commits []Commit) bool {
	previous := int64(-1)
	for _, c := range commits {
		if c.LagKnown {
			if c.Lag < previous {
				return false
			}
			previous = c.Lag
		}
	}
	return true
}
