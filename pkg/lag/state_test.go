package lag

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

func TestNewerState(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	newer := `{"version":2,"something":"else"}`
	if err := st.Commit(t.Context(), at(0), store.Change{Key: "lag/c", Value: []byte(newer)}); err != nil {
		t.Fatal(err)
	}
	w := newTestWatcher(st, rec, map[string]Reader{"b": returning(overLimit), "c": returning(overLimit)})
	if _, err := w.Poll(t.Context(), at(0)); !errors.Is(err, ErrNewerState) || !strings.Contains(err.Error(), "lag/c") {
		t.Errorf("error = %v, want ErrNewerState with the key", err)
	}
	if items, _ := st.Get(t.Context(), "lag/c"); string(items[0].Value) != newer {
		t.Errorf("stored state = %s, want %s", items[0].Value, newer)
	}
	if got := rec.firing(at(0)); len(got) != 1 {
		t.Errorf("firing = %q, want the alert of the other cluster", got)
	}
	if _, err := LoadState(t.Context(), st, "c"); !errors.Is(err, ErrNewerState) {
		t.Errorf("error of LoadState = %v, want ErrNewerState", err)
	}
}

func TestLoadState(t *testing.T) {
	st := memory.New()
	if s, err := LoadState(t.Context(), st, "c"); s != nil || err != nil {
		t.Errorf("LoadState of a new cluster = %v, %v; want nil, nil", s, err)
	}
	mustPoll(t, newTestWatcher(st, &ingestRecorder{}, map[string]Reader{"c": returning(overLimit)}), 0)
	s, err := LoadState(t.Context(), st, "c")
	if err != nil || s.firing() != 1 {
		t.Errorf("LoadState = %+v, %v; want one firing alert", s, err)
	}
}

func TestLargeState(t *testing.T) {
	rule := lagRule(0)
	rule.For = setting.Duration(time.Hour)
	snap := &Snapshot{Complete: true}
	for g := range 700 {
		group := Group{Name: fmt.Sprintf("some-quite-long-consumer-group-%04d", g), Complete: true}
		for i := range 20 {
			group.Topics = append(group.Topics, newTopic(fmt.Sprintf("some-quite-long-topic-name-%02d", i), "1"))
		}
		snap.Groups = append(snap.Groups, group)
	}
	st, rec := memory.New(), &ingestRecorder{}
	w := newRuleWatcher(st, rec, returning(snap), rule)
	mustPoll(t, w, 0)
	if sum := mustPoll(t, w, 60); sum.Firing != 14000 {
		t.Errorf("%d alerts fire, want 14000", sum.Firing)
	}
	s, err := LoadState(t.Context(), st, "c")
	if err != nil || s.firing() != 14000 {
		t.Errorf("LoadState = %d firing alerts, %v; want 14000 and no error", s.firing(), err)
	}
}

func FuzzDecodeState(f *testing.F) {
	e := NewEvaluator([]Rule{lagRule(2000)}, "c", "en")
	s, _ := e.Evaluate(nil, overLimit, at(0))
	s, _ = e.EvaluateFailure(s, errors.New("x"), at(1))
	good, _ := s.Encode()
	f.Add(good)
	f.Add([]byte(`{"version":1,"rules":[{"rule":{"alert":"Lag","labels":{"a":"{{"}},"topics":{"g":{"t":{"since":"2024-03-01T08:00:00Z","firing":true}}}}],"groups":{"g":{"polls":9}}}`))
	f.Add([]byte(`{"version":1,"rules":[{"topics":null},{"topics":{"g":null}}]}`))
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeState(data)
		if err != nil || s == nil {
			return
		}
		// A poll on any stored state leaves one that can be decoded.
		for _, next := range []*ClusterState{
			firstState(e.Evaluate(s, overLimit, at(2))), firstState(e.Evaluate(s, &Snapshot{}, at(2))), firstState(e.EvaluateFailure(s, errors.New("x"), at(2))),
		} {
			encoded, err := next.withEnded(s).Encode()
			if err != nil {
				return // a time beyond the range of JSON
			}
			if _, err := DecodeState(encoded); err != nil {
				t.Errorf("error of decoding %s, from %s = %v, want none", encoded, data, err)
			}
		}
		e.EndAll(s, at(2))
	})
}

func firstState(s *ClusterState, _ []*alert.Alert) *ClusterState { return s }
