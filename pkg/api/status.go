package api

import (
	"cmp"
	"net/http"
	"runtime"
	"slices"
	"time"
)

// alertmanagerStatus is a type of Alertmanager's openapi.yaml.
type alertmanagerStatus struct {
	Cluster     cluster     `json:"cluster"`
	VersionInfo versionInfo `json:"versionInfo"`
	Config      struct {
		Original string `json:"original"`
	} `json:"config"`
	Uptime responseTime `json:"uptime"`
}

type cluster struct {
	Name   string `json:"name,omitempty"`
	Status string `json:"status"`
	Peers  []Peer `json:"peers"`
}

type versionInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	BuildUser string `json:"buildUser"`
	BuildDate string `json:"buildDate"`
	GoVersion string `json:"goVersion"`
}

func (a *api) getStatus(r *http.Request, _ time.Time) (any, error) {
	s := alertmanagerStatus{
		Cluster:     cluster{Status: "disabled", Peers: []Peer{}},
		VersionInfo: versionInfo{AlertmanagerVersion, a.Version.Revision, a.Version.Branch, a.Version.User, a.Version.Date, runtime.Version()},
		Uptime:      responseTime(a.Started),
	}
	s.Config.Original = a.Config
	if a.Peers != nil {
		s.Cluster.Name, s.Cluster.Status = a.Name, "ready"
		s.Cluster.Peers = append(s.Cluster.Peers, a.Peers(r.Context())...)
		slices.SortFunc(s.Cluster.Peers, func(p, q Peer) int { return cmp.Compare(p.Name, q.Name) })
	}
	return s, nil
}

type gettableReceiver struct {
	Labels map[string]string `json:"labels"`
	Name   string            `json:"name"`
}

// getReceivers returns the receivers whose labels match.
func (a *api) getReceivers(r *http.Request, _ time.Time) (any, error) {
	matchers, err := a.receiverMatchers(r.URL.Query())
	if err != nil {
		return nil, err
	}
	out := []gettableReceiver{}
	for _, rc := range a.Receivers {
		if l := a.receiverLabels[rc.Name]; matchesAll(matchers, l) {
			out = append(out, gettableReceiver{Labels: l, Name: rc.Name})
		}
	}
	return out, nil
}
