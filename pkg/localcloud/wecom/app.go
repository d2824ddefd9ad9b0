package wecom

import (
	"net/http"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

// Paths of the application API.
const (
	TokenPath = "/cgi-bin/gettoken"
	SendPath  = "/cgi-bin/message/send"
)

// App is an application of a company.
type App struct {
	CorpID, Secret string
	AgentID        int
	// Users, Parties and Tags are the recipients that it may write to.
	Users, Parties, Tags []string
	// Unlicensed are the Users without a licence.
	Unlicensed []string
	// Trusted are the addresses that may call (企业可信IP); none for an application
	// that is older than this rule.
	Trusted []string
}

// AppMessage is one message that an application has delivered.
type AppMessage struct {
	AgentID int
	Type    string
	// Content is the text as it arrived, with its markup: a long text is cut.
	Content string
	// Users, Parties and Tags are its recipients.
	Users, Parties, Tags []string
	At                   time.Time
}

// Apps is WeCom's application API on one machine: access tokens, and messages to
// members. It is as strict as the vendor's, as far as that is documented. It is an
// http.Handler, safe for concurrent use.
type Apps struct {
	mailbox.Box[AppMessage]

	now    func() time.Time
	queues map[string]*fault.Queue // by path

	mu      sync.Mutex
	apps    []*app
	blocked time.Time // until when no token is issued, after wrong secrets
	wrong   int       // wrong secrets in a row
	dropped int
}

// app is an application and its state.
type app struct {
	App
	disabled      bool
	token         string
	expires       time.Time
	old           []string // tokens that have expired
	issued        int
	tokenRequests []time.Time            // within the last minute
	sent          map[string][]time.Time // to each member, within the last hour
	bodies        map[string]time.Time   // until when a body counts as a duplicate
}

// NewApps returns an API without applications. now is its clock.
func NewApps(now func() time.Time) *Apps {
	return &Apps{now: now, queues: map[string]*fault.Queue{TokenPath: {}, SendPath: {}}}
}

// Add adds an application.
func (s *Apps) Add(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = append(s.apps, &app{App: a, sent: map[string][]time.Time{}, bodies: map[string]time.Time{}})
}

// Disable makes an application reject every message, as its administrator can.
func (s *Apps) Disable(agentID int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.disabled = a.disabled || a.AgentID == agentID
	}
}

// Expire ends the access tokens of all applications early, as the vendor reserves the
// right to do: they give 42001.
func (s *Apps) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.expire()
	}
}

// Revoke ends the access tokens of all applications and forgets them: they give
// 40014.
func (s *Apps) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.token, a.old = "", nil
	}
}

func (a *app) expire() {
	if a.token != "" {
		a.old, a.token = append(a.old, a.token), ""
	}
}

// Dropped returns how many messages were not delivered to a member although the call
// succeeded: duplicates, and messages above the limits.
func (s *Apps) Dropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Calls returns how many requests arrived at TokenPath or SendPath.
func (s *Apps) Calls(path string) int { return s.queues[path].Calls() }

// Fail lets do handle the next requests at TokenPath or SendPath, after those that
// already have a handler.
func (s *Apps) Fail(path string, times int, do fault.Handler) { s.queues[path].Inject(times, do) }

// ServeHTTP serves one request.
func (s *Apps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve := s.serveToken
	switch r.URL.Path {
	case TokenPath:
	case SendPath:
		serve = s.serveSend
	default:
		http.NotFound(w, r)
		return
	}
	s.queues[r.URL.Path].Handle(w, r, func() { serve(w, r) })
}
