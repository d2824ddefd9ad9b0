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
	st, e := memory.New(), &ear{}
	newer := `{"version":2,"something":"else"}`
	if err := st.Commit(t.Context(), at(0), store.Change{Key: "lag/c", Value: []byte(newer)}); err != nil {
		t.Fatal(err)
	}
	w := watcher(st, e, map[string]Reader{"b": sees(over), "c": sees(over)})
	if _, err := w.Poll(t.Context(), at(0)); !errors.Is(err, ErrNewerState) || !strings.Contains(err.Error(), "lag/c") {
		t.Errorf("got %v", err)
	}
	if items, _ := st.Get(t.Context(), "lag/c"); string(items[0].Value) != newer {
		t.Errorf("it was overwritten: %s", items[0].Value)
	}
	if got := e.firing(at(0)); len(got) != 1 {
		t.Errorf("the other cluster was not judged: %q", got)
	}
	if _, err := LoadState(t.Context(), st, "c"); !errors.Is(err, ErrNewerState) {
		t.Errorf("LoadState: %v", err)
	}
}

func TestLoadState(t *testing.T) {
	st := memory.New()
	if s, err := LoadState(t.Context(), st, "c"); s != nil || err != nil {
		t.Errorf("of a cluster never polled: %v, %v", s, err)
	}
	mustPoll(t, watcher(st, &ear{}, map[string]Reader{"c": sees(over)}), 0)
	s, err := LoadState(t.Context(), st, "c")
	if err != nil || s.firing() != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestStateSurvivesSize(t *testing.T) {
	rule := lagRule(0)
	rule.For = setting.Duration(time.Hour)
	snap := &Snapshot{Complete: true}
	for g := range 700 {
		group := Group{Name: fmt.Sprintf("some-quite-long-consumer-group-%04d", g), Complete: true}
		for i := range 20 {
			group.Topics = append(group.Topics, topic(fmt.Sprintf("some-quite-long-topic-name-%02d", i), "1"))
		}
		snap.Groups = append(snap.Groups, group)
	}
	st, e := memory.New(), &ear{}
	w := watcher(st, e, map[string]Reader{"c": sees(snap)})
	w.Config.Rules = []Rule{rule}
	mustPoll(t, w, 0)
	if sum := mustPoll(t, w, 60); sum.Firing != 14000 {
		t.Errorf("%d fire, want 14000", sum.Firing)
	}
	s, err := LoadState(t.Context(), st, "c")
	if err != nil || s.firing() != 14000 {
		t.Errorf("%v, %v", s.firing(), err)
	}
}

func FuzzDecodeState(f *testing.F) {
	j := NewEvaluator([]Rule{lagRule(2000)}, "c", "en")
	s, _ := j.Evaluate(nil, over, at(0))
	s, _ = j.EvaluateFailure(s, errors.New("x"), at(1))
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
		// Whatever was stored, a poll bears it and leaves something readable.
		for _, next := range []*ClusterState{
			first(j.Evaluate(s, over, at(2))), first(j.Evaluate(s, &Snapshot{}, at(2))), first(j.EvaluateFailure(s, errors.New("x"), at(2))),
		} {
			encoded, err := next.withEnded(s).Encode()
			if err != nil {
				return // a time beyond what JSON holds
			}
			if _, err := DecodeState(encoded); err != nil {
				t.Errorf("%s became %s: %v", data, encoded, err)
			}
		}
		j.EndAll(s, at(2))
	})
}

func first(s *ClusterState, _ []*alert.Alert) *ClusterState { return s }
