package wecom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	// TokenLife is how long an access token is valid (document/path/91039).
	TokenLife = 2 * time.Hour
	// TokensPerMinute is how often an application may fetch its token. The vendor
	// documents that there is a limit, but not which.
	TokensPerMinute = 20
	// WrongSecrets is how many wrong secrets in a row block an address for
	// blockedFor. The vendor documents the hour, but not the number.
	WrongSecrets = 5
	blockedFor   = time.Hour
)

// serveToken serves TokenPath: it returns the application's token, or a new one.
func (s *Apps) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		(&apiError{43001, "require GET method"}).write(w)
		return
	}
	q := r.URL.Query()
	token, left, bad := s.tokenFor(q.Get("corpid"), q.Get("corpsecret"))
	if bad != nil {
		bad.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(map[string]any{"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": int(left.Seconds())})
}

func (s *Apps) tokenFor(corp, secret string) (token string, left time.Duration, bad *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Before(s.blocked) {
		return "", 0, &apiError{45009, "api freq out of limit"}
	}
	known := slices.ContainsFunc(s.apps, func(a *app) bool { return a.CorpID == corp })
	i := slices.IndexFunc(s.apps, func(a *app) bool { return a.CorpID == corp && a.Secret == secret })
	switch {
	case !known:
		return "", 0, &apiError{40013, "invalid corpid"}
	case i < 0:
		if s.wrong++; s.wrong >= WrongSecrets {
			s.wrong, s.blocked = 0, now.Add(blockedFor)
		}
		return "", 0, &apiError{40001, "invalid credential"}
	}
	s.wrong = 0
	a := s.apps[i]
	a.tokenRequests = append(within(a.tokenRequests, now, time.Minute), now)
	if len(a.tokenRequests) > TokensPerMinute {
		return "", 0, &apiError{45009, "api freq out of limit"}
	}
	if !now.Before(a.expires) {
		a.expire()
	}
	if a.token == "" {
		a.issued++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", corp, secret, a.issued))
		a.token, a.expires = hex.EncodeToString(sum[:]), now.Add(TokenLife)
	}
	return a.token, a.expires.Sub(now), nil
}

// appOf returns the application that a token was issued to.
func (s *Apps) appOf(token string, now time.Time) (*app, *apiError) {
	if token == "" {
		return nil, &apiError{41001, "access_token missing"}
	}
	for _, a := range s.apps {
		if a.token == token && now.Before(a.expires) {
			return a, nil
		}
		if a.token == token || slices.Contains(a.old, token) {
			return nil, &apiError{42001, "access_token expired"}
		}
	}
	return nil, &apiError{40014, "invalid access_token"}
}

// within returns the times that are less than span before now.
func within(times []time.Time, now time.Time, span time.Duration) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) >= span })
}
