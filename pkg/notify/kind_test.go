package notify

import (
	"slices"
	"testing"
	"time"
)

func TestQuotaText(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Quota // zero for an error
	}{
		{"20/1m", Quota{Messages: 20, Per: time.Minute}},
		{"1/30s", Quota{Messages: 1, Per: 30 * time.Second}},
		{"", Quota{}},
		{"20", Quota{}},
		{"20/", Quota{}},
		{"/1m", Quota{}},
		{"0/1m", Quota{}},
		{"-1/1m", Quota{}},
		{"20/0s", Quota{}},
		{"20/minute", Quota{}},
	} {
		t.Run(tt.text, func(t *testing.T) {
			var q Quota
			err := q.UnmarshalText([]byte(tt.text))
			if q != tt.want || (err != nil) != (tt.want == Quota{}) {
				t.Fatalf("got %v, %v; want %v", q, err, tt.want)
			}
			if err != nil {
				return
			}
			if text, err := q.MarshalText(); err != nil || string(text) != tt.text {
				t.Errorf("got text %q, %v; want %q", text, err, tt.text)
			}
		})
	}
}

func TestCommonConfigOverridesTheKind(t *testing.T) {
	kind := Kind{SendResolved: true, Quotas: []Quota{{20, time.Minute}, {100, time.Hour}}}
	var none CommonConfig
	if got := none.Quotas(kind); !slices.Equal(got, kind.Quotas) || !none.SendsResolved(kind) {
		t.Errorf("got quotas %v and send_resolved %v from an empty entry, want the kind's", got, none.SendsResolved(kind))
	}
	own := CommonConfig{SendResolved: new(false), RateLimit: &Quota{5, time.Minute}}
	if got, want := own.Quotas(kind), []Quota{{5, time.Minute}}; !slices.Equal(got, want) || own.SendsResolved(kind) {
		t.Errorf("got quotas %v and send_resolved %v, want %v and false", got, own.SendsResolved(kind), want)
	}
}
