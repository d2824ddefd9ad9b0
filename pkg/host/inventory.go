package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// Inventory is a validated configuration worked out: which hosts there are, what
// each must collect, who may speak for it. It does not change.
type Inventory struct {
	every        time.Duration
	offlineAfter time.Duration
	ignore       []string
	grace        time.Duration

	hosts    map[string]*Host
	rules    []*rule
	register *registration
	// bound are the names of tokens that may speak for some hosts only: for those
	// that enrolled with them, and for those of the groups in scopes.
	bound  map[string]bool
	scopes map[string][]string
}

// registration is how hosts enrol themselves.
type registration struct {
	tokens      []string
	as          Host // but for its id and name
	max         int
	forgetAfter time.Duration
}

// NewInventory works a configuration out.
func NewInventory(c *Config) *Inventory {
	inv := &Inventory{
		every: c.CheckInterval(), offlineAfter: c.offlineAfter(), ignore: c.Ignore, grace: c.ignoreGrace(),
		hosts: make(map[string]*Host, len(c.Hosts)), rules: compile(c.Rules), bound: map[string]bool{}, scopes: map[string][]string{},
	}
	parts := newParts(c)
	for _, g := range c.Groups {
		for _, token := range g.Tokens {
			inv.bound[token] = true
			inv.scopes[token] = append(inv.scopes[token], g.Name)
		}
	}
	for i := range c.Hosts {
		e := &c.Hosts[i]
		h := parts.host(e)
		inv.identify(h, e.ID, cmp.Or(e.Name, e.ID))
		inv.hosts[e.ID] = h
	}
	if r := c.Register; r != nil {
		inv.register = &registration{
			tokens: r.Tokens, as: *parts.host(&InventoryEntry{Groups: r.Groups, Templates: r.Templates}),
			max: DefaultRegisterMax, forgetAfter: orDefault(r.ForgetAfter, DefaultForgetAfter),
		}
		if r.Max != nil {
			inv.register.max = *r.Max
		}
		for _, token := range r.Tokens {
			inv.bound[token] = true
		}
	}
	return inv
}

// Hosts returns the configured hosts by id.
func (inv *Inventory) Hosts() map[string]*Host { return maps.Clone(inv.hosts) }

// newcomer is a host that enrolled itself with a token.
func (inv *Inventory) newcomer(id, token string) *Host {
	h := inv.register.as
	h.owner, h.Labels = token, maps.Clone(h.Labels)
	inv.identify(&h, id, id)
	return &h
}

// identify gives a host its names, and the rules that are for it.
func (inv *Inventory) identify(h *Host, id, name string) {
	h.ID, h.Name = id, name
	h.Labels[alert.HostLabel], h.Labels[alert.HostnameLabel] = id, name
	h.rules = map[string][]*rule{}
	for _, r := range inv.rules {
		if !r.matches(h) {
			continue
		}
		for service, s := range h.Services {
			if r := r.of(s.Plugin); r != nil {
				h.rules[service] = append(h.rules[service], r)
			}
		}
	}
}

// allows tells whether a sender may speak for a host. A token without bounds may
// speak for every host.
func (inv *Inventory) allows(from Sender, h *Host) bool {
	switch {
	case from.Token == "", slices.Contains(from.Hosts, h.ID):
		return true
	case len(from.Hosts) > 0:
		return false
	case !inv.bound[from.Token], h.owner == from.Token:
		return true
	default:
		scope := inv.scopes[from.Token]
		return slices.ContainsFunc(h.Groups, func(group string) bool { return slices.Contains(scope, group) })
	}
}

// parts are what hosts are put together from, by name.
type parts struct {
	templates map[string]map[string]Service
	groups    map[string]*Group
}

func newParts(c *Config) parts {
	p := parts{map[string]map[string]Service{}, map[string]*Group{}}
	for _, t := range c.Templates {
		services := make(map[string]Service, len(t.Services))
		for name, s := range t.Services {
			services[name] = Service{s.Plugin, s.Interval.Std()}
		}
		p.templates[t.Name] = services
	}
	for i := range c.Groups {
		p.groups[c.Groups[i].Name] = &c.Groups[i]
	}
	return p
}

// host puts a host together: of services and labels with one name, those of a
// later template or group count, and above all the host's own.
func (p parts) host(e *InventoryEntry) *Host {
	h := &Host{Active: e.Active == nil || *e.Active, Groups: e.Groups, Labels: alert.Labels{}, Services: map[string]Service{}}
	for _, name := range e.Groups {
		if g := p.groups[name]; g != nil {
			for _, t := range g.Templates {
				maps.Copy(h.Services, p.templates[t])
			}
			maps.Copy(h.Labels, g.Labels)
		}
	}
	for _, t := range e.Templates {
		maps.Copy(h.Services, p.templates[t])
	}
	maps.Copy(h.Labels, e.Labels)
	h.config, h.etag = answer(h.Services)
	return h
}

// answer is what an agent is told of services.
func answer(services map[string]Service) (body []byte, etag string) {
	told := make(map[string][2]any, len(services))
	for name, s := range services {
		told[name] = [2]any{s.Plugin, int(s.Interval / time.Second)}
	}
	// Names and numbers are always JSON.
	body, err := json.Marshal(map[string]any{"services": told})
	if err != nil {
		panic(fmt.Sprintf("encode services: %v", err))
	}
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:8]) + `"`
}
