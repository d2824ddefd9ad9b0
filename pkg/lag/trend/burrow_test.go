package trend

import (
	"fmt"
	"strings"
	"testing"
)

// parseCommits parses commits as "offset@second:lag", where "?" is an unknown
// lag.
func parseCommits(text string) (out []Commit) {
	for _, f := range strings.Fields(text) {
		var c Commit
		var second int64
		var lag string
		if _, err := fmt.Sscanf(strings.NewReplacer("@", " ", ":", " ").Replace(f), "%d %d %s", &c.Offset, &second, &lag); err != nil {
			panic(err)
		}
		c.Time = t0.UnixMilli() + 1000*second
		if lag != "?" {
			fmt.Sscan(lag, &c.Lag)
			c.LagKnown = true
		}
		out = append(out, c)
	}
	return out
}

// TestBurrow covers each rule of Burrow's evaluation. The wanted results are
// derived from the text of its documentation; the number is the rule's place in
// the order of evaluation.
func TestBurrow(t *testing.T) {
	const far = 1 << 40
	tests := []struct {
		name    string
		commits string
		ends    []int64
		lag     int64
		now     float64
		allowed int64
		want    BurrowStatus
	}{
		{"no commit", "", nil, 5, 0, 0, BurrowOK},
		{"0: no lag is OK before any other rule", "90@0:9 50@60:9", nil, 0, 9999, 0, BurrowOK},
		{"0: lag is what is allowed", "90@0:9 50@60:9", nil, 10, 9999, 10, BurrowOK},
		{"0: lag is more than allowed", "90@0:9 50@60:9", nil, 11, 9999, 10, BurrowStop},
		{"1: no commit for as long as the window", "10@0:5 20@60:5", []int64{90}, 5, 120, 0, BurrowWarn},
		{"1: no commit for longer", "10@0:5 20@60:5", []int64{90}, 5, 121, 0, BurrowStop},
		{"1: now is truncated to seconds", "10@0:5 20@60:5", []int64{90}, 5, 120.999, 0, BurrowWarn},
		{"1: caught up at one poll", "10@0:5 20@60:6", []int64{20, 90}, 6, 121, 0, BurrowWarn},
		{"1: one message short of caught up", "10@0:5 20@60:6", []int64{21, 90}, 6, 121, 0, BurrowStop},
		{"1 before 2", "90@0:5 50@60:45", []int64{95}, 45, 121, 0, BurrowStop},
		{"1 before 3", "90@0:0 90@60:0", []int64{95}, 5, 121, 0, BurrowStop},
		{"2: rewound", "90@0:5 50@60:45 60@120:40", nil, 40, 130, 0, BurrowRewind},
		{"2: rewound and returned", "90@0:5 50@60:45 90@120:10", nil, 10, 130, 0, BurrowOK},
		{"2: only the first rewind counts", "90@0:5 50@60:45 95@120:5 20@180:80", nil, 80, 190, 0, BurrowOK},
		{"2 before 3", "90@0:0 50@60:45 60@120:40", nil, 40, 130, 0, BurrowRewind},
		{"3: lag was zero once", "10@0:0 10@60:5 10@120:9", nil, 9, 130, 0, BurrowOK},
		{"3: lag was allowed once", "10@0:3 10@60:5 10@120:9", nil, 9, 130, 3, BurrowOK},
		{"3: unknown lag is not zero", "10@0:? 10@60:5 10@120:9", nil, 9, 130, 0, BurrowStall},
		{"4: stalled", "10@0:1 10@60:5 10@120:9", nil, 9, 130, 0, BurrowStall},
		{"4: stalled with one commit", "10@0:1", nil, 9, 0, 0, BurrowStall},
		{"4: large numbers", fmt.Sprintf("%d@0:7 %[1]d@60:8", int64(far)), nil, 8, 61, 0, BurrowStall},
		{"5: lag never decreases", "10@0:1 11@60:5 12@120:5", nil, 5, 130, 0, BurrowWarn},
		{"5: lag decreases once", "10@0:5 11@60:4 12@120:9", nil, 9, 130, 0, BurrowOK},
		{"5: unknown lag in between", "10@0:5 11@60:? 12@120:6", nil, 6, 130, 0, BurrowWarn},
		{"5: lag decreases across an unknown one", "10@0:5 11@60:? 12@120:4", nil, 4, 130, 0, BurrowOK},
		{"5: no known lag", "10@0:? 11@60:? 12@120:?", nil, 4, 130, 0, BurrowWarn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Burrow(parseCommits(tt.commits), tt.ends, tt.lag, atSecond(tt.now), tt.allowed); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestBurrowFalseAlarms compares Burrow's status with the default state in
// cases where Burrow is known to be wrong. The polls are a minute apart. The
// codes number the known deviations.
func TestBurrowFalseAlarms(t *testing.T) {
	tests := []struct {
		name    string
		commits string
		ends    []int64
		lag     int64
		now     float64
		burrow  BurrowStatus
		polls   string
		want    State
	}{
		{
			"D01: a single commit is a stopped consumer",
			"100@0:5", []int64{105}, 5, 1, BurrowStop,
			"100/105", Unknown,
		},
		{
			"D02: a single commit within this second is a stalled consumer",
			"100@0:5", []int64{105}, 5, 0, BurrowStall,
			"100/105 100/105", Unknown,
		},
		{
			"P08: a single commit in a window that is not full is a stalled consumer",
			"700@0:5", []int64{705}, 60, 0.4, BurrowStall,
			"700/705 700/760", Unknown,
		},
		{
			"D04: the check that prevents Stop does not prevent Stall",
			"100@0:5", []int64{100, 105}, 5, 30, BurrowStall,
			"100/100 100/105", OK,
		},
		{
			"D21: repeated commits are stalled once messages arrive",
			"100@0:? 100@60:? 100@120:7", []int64{100, 100, 107}, 7, 250, BurrowStall,
			"100/100 100/100 100/100 100/107", OK,
		},
		{
			"U00: one zero lag long ago hides a growing one",
			"100@0:0 150@60:50 200@120:100 250@180:150 300@240:200 350@300:250 400@360:300 450@420:350", []int64{800}, 350, 421, BurrowOK,
			"100/100 150/200 200/300 250/400 300/500 350/600 400/700 450/800", Growing,
		},
		{
			"D28: a zero lag in the middle of the window hides a growing one",
			"100@0:50 150@60:100 250@120:100 400@180:0 410@240:100 420@300:300 430@360:600 440@420:1000 450@480:1500", []int64{1950}, 1500, 481, BurrowOK,
			"100/150 150/250 250/350 400/400 410/510 420/720 430/1030 440/1440 450/1950", Growing,
		},
		{
			"D10: a dip by one message hides a growing lag",
			"100@0:100 101@60:200 103@120:199 104@180:800 105@240:3000 106@300:9000 107@360:30000 108@420:90000", []int64{90108}, 90000, 421, BurrowOK,
			"100/200 101/301 103/302 104/904 105/3105 106/9106 107/30107 108/90108", Growing,
		},
		{
			"D17: a second rewind that has not returned",
			"100@0:10 60@60:60 110@120:20 20@180:120 30@240:125", []int64{155}, 125, 241, BurrowOK,
			"100/110 60/120 110/130 20/140 30/155", Rewind,
		},
		{
			"D11: unknown lags are an error",
			"100@0:? 100@60:? 100@120:?", []int64{130}, 9, 121, BurrowStall,
			"? ? 100/109", Unknown,
		},
		{
			"D12: one known lag among unknown ones",
			"100@0:? 110@60:? 120@120:4", []int64{124}, 4, 121, BurrowWarn,
			"? ? 110/120 120/124", OK,
		},
		{
			"D24: a client whose clock is fast has not stopped",
			"100@600:5 110@660:9", []int64{500}, 390, 600, BurrowWarn,
			"100/105 110/119 110/250 110/400 110/500", Stalled,
		},
		{
			"D25: a client whose clock is slow has stopped",
			"100@-600:5 110@-540:9 120@-480:9", []int64{129}, 9, 121, BurrowStop,
			"100/105 110/119 120/129", OK,
		},
		{
			"a transaction marker is an unread message",
			"99@0:1 99@60:1 99@120:1", []int64{100}, 1, 130, BurrowStall,
			"99/100 99/100 99/100 99/100", OK,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Burrow(parseCommits(tt.commits), tt.ends, tt.lag, atSecond(tt.now), 0); got != tt.burrow {
				t.Errorf("Burrow: got %v, want %v", got, tt.burrow)
			}
			w := roundTrip(t, newWindow(HasMembers, tt.polls))
			if got := w.Partition("g", "t", 0, 1).State; got != tt.want {
				t.Errorf("default: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWindowBurrow(t *testing.T) {
	tests := []struct {
		name    string
		members Members
		polls   string
		now     float64
		want    BurrowStatus
	}{
		{"caught up", HasMembers, "10/10 20/20", 1, BurrowOK},
		{"frozen commit with members", HasMembers, "10/11 10/15 10/19", 2, BurrowStall},
		{"frozen commit without members", NoMembers, "8/12 10/13 10/15 10/19", 3, BurrowStop},
		{"commit frozen a moment ago without members", NoMembers, "7/8 8/9 10/11 10/15", 3, BurrowWarn},
		{"rewound", HasMembers, "10/11 5/15 6/19", 2, BurrowRewind},
		{"lag never decreases", HasMembers, "10/11 11/13 12/15", 2, BurrowWarn},
		{"unknown poll in between", HasMembers, "10/11 ? 12/15", 2, BurrowWarn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := roundTrip(t, newWindow(tt.members, tt.polls))
			if got := w.Burrow("g", "t", 0, 0, atMinute(tt.now)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	w := newWindow(HasMembers, "10/11")
	for _, p := range []struct {
		group, topic string
		id           int32
	}{{"g", "other", 0}, {"other", "t", 0}, {"g", "t", 1}} {
		if got := w.Burrow(p.group, p.topic, p.id, 0, atMinute(1)); got != BurrowNotFound {
			t.Errorf("%+v: got %v, want %v", p, got, BurrowNotFound)
		}
	}
}

func TestBurrowGroup(t *testing.T) {
	tests := []struct {
		want       BurrowStatus
		partitions []BurrowStatus
	}{
		{BurrowOK, nil},
		{BurrowWarn, []BurrowStatus{BurrowOK, BurrowWarn, BurrowOK}},
		{BurrowErr, []BurrowStatus{BurrowWarn, BurrowStop}},
		{BurrowErr, []BurrowStatus{BurrowRewind, BurrowStall}},
	}
	for _, tt := range tests {
		if got := BurrowGroup(tt.partitions); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.partitions, got, tt.want)
		}
	}
}

func TestBurrowStatusString(t *testing.T) {
	got := ""
	for s := range BurrowRewind + 2 {
		got += s.String() + " "
	}
	if want := "NOTFOUND OK WARN ERR STOP STALL REWIND UNKNOWN "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
