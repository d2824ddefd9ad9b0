package api

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
)

// shownSilence is gettableSilence of Alertmanager's openapi.yaml.
type shownSilence struct {
	ID          string                    `json:"id"`
	Status      silenceStatus             `json:"status"`
	UpdatedAt   stamp                     `json:"updatedAt"`
	Annotations alert.Labels              `json:"annotations,omitempty"`
	Comment     string                    `json:"comment"`
	CreatedBy   string                    `json:"createdBy"`
	EndsAt      stamp                     `json:"endsAt"`
	Matchers    []dispatch.SilenceMatcher `json:"matchers"`
	StartsAt    stamp                     `json:"startsAt"`
}

type silenceStatus struct {
	State dispatch.SilenceState `json:"state"`
}

// getSilences shows the silences that are asked for: active ones first, those
// that end soonest in front; then pending ones, by their start; then expired
// ones, the latest in front.
func (a *api) getSilences(r *http.Request, now time.Time) (any, error) {
	q := r.URL.Query()
	matchers, err := a.matchers(q, "filter")
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%s", err)
	}
	all, err := a.Engine.Silences(r.Context())
	if err != nil {
		return nil, err
	}
	order := map[dispatch.SilenceState]int{dispatch.SilenceActive: 0, dispatch.SilencePending: 1, dispatch.SilenceExpired: 2}
	all = slices.DeleteFunc(all, func(s *dispatch.Silence) bool {
		return !flag(q, string(s.State(now))) || !hasMatchers(s, matchers)
	})
	slices.SortStableFunc(all, func(s, t *dispatch.Silence) int {
		switch state := s.State(now); {
		case state != t.State(now):
			return cmp.Compare(order[state], order[t.State(now)])
		case state == dispatch.SilencePending:
			return s.StartsAt.Compare(t.StartsAt)
		case state == dispatch.SilenceExpired:
			return t.EndsAt.Compare(s.EndsAt)
		default:
			return s.EndsAt.Compare(t.EndsAt)
		}
	})
	shown := make([]shownSilence, len(all))
	for i, s := range all {
		shown[i] = showSilence(s, now)
	}
	return shown, nil
}

// hasMatchers tells whether the silence has all the matchers literally.
func hasMatchers(s *dispatch.Silence, ms labels.Matchers) bool {
	for _, m := range ms {
		if !slices.Contains(s.Matchers, dispatch.SilenceMatcher{
			Name: m.Name, Value: m.Value,
			IsRegex: m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp,
			IsEqual: m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp,
		}) {
			return false
		}
	}
	return true
}

func showSilence(s *dispatch.Silence, now time.Time) shownSilence {
	return shownSilence{
		ID: s.ID, Status: silenceStatus{s.State(now)}, UpdatedAt: stamp(s.UpdatedAt), Annotations: s.Annotations,
		Comment: s.Comment, CreatedBy: s.CreatedBy, StartsAt: stamp(s.StartsAt), EndsAt: stamp(s.EndsAt), Matchers: s.Matchers,
	}
}

// getSilence shows one silence.
func (a *api) getSilence(r *http.Request, now time.Time) (any, error) {
	id, err := silenceID(r)
	if err != nil {
		return nil, err
	}
	s, err := a.Engine.GetSilence(r.Context(), id)
	if err != nil {
		return nil, noSilence(err)
	}
	return showSilence(s, now), nil
}

// deleteSilence ends a silence now; it is still shown, as expired.
func (a *api) deleteSilence(r *http.Request, now time.Time) (any, error) {
	id, err := silenceID(r)
	if err != nil {
		return nil, err
	}
	return nil, noSilence(a.Engine.ExpireSilence(r.Context(), now, id))
}

func noSilence(err error) error {
	if errors.Is(err, dispatch.ErrNoSilence) {
		return &refusal{status: http.StatusNotFound}
	}
	return err
}

func silenceID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !isUUID(id) {
		return "", unfit(codeType, "silenceID in path must be of type uuid: %q", cut(id))
	}
	return id, nil
}

// isUUID tells whether s is a UUID as RFC 9562 writes it.
func isUUID(s string) bool {
	if len(s) != len("00000000-0000-0000-0000-000000000000") {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}
