package host

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Inventory is a compiled configuration: the hosts, the services that each must
// collect, and the tokens that are valid for it. It does not change.
type Inventory struct {
	checkInterval time.Duration
	offlineAfter  time.Duration
	ignore        []string
	ignoreGrace   time.Duration

	hosts    map[string]*Host
	rules    []*rule
	register *registerPolicy
	// boundTokens are the names of the tokens that are valid for some hosts only:
	// for the hosts that registered with them and for those of tokenGroups.
	boundTokens map[string]bool
	tokenGroups map[string][]string
}

// registerPolicy is how hosts register themselves.
type registerPolicy struct {
	tokens      []string
	template    Host // without id and name
	max         int
	forgetAfter time.Duration
}

// NewInventory compiles a valid configuration.
func NewInventory(c *Config) *Inventory {
	inv := &Inventory{
		checkInterval: c.CheckInterval(), offlineAfter: c.offlineAfter(), ignore: c.Ignore, ignoreGrace: c.ignoreGrace(),
		hosts: make(map[string]*Host, len(c.Hosts)), rules: compileRules(c.Rules), boundTokens: map[string]bool{}, tokenGroups: map[string][]string{},
	}
	b := newHostBuilder(c)
	for _, g := range c.Groups {
		for _, token := range g.Tokens {
			inv.boundTokens[token] = true
			inv.tokenGroups[token] = append(inv.tokenGroups[token], g.Name)
		}
	}
	for i := range c.Hosts {
		e := &c.Hosts[i]
		h := b.build(e)
		inv.setIdentity(h, e.ID, cmp.Or(e.Name, e.ID))
		inv.hosts[e.ID] = h
	}
	if r := c.Register; r != nil {
		inv.register = &registerPolicy{
			tokens: r.Tokens, template: *b.build(&InventoryEntry{Groups: r.Groups, Templates: r.Templates}),
			max: DefaultRegisterMax, forgetAfter: orDefault(r.ForgetAfter, DefaultForgetAfter),
		}
		if r.Max != nil {
			inv.register.max = *r.Max
		}
		for _, token := range r.Tokens {
			inv.boundTokens[token] = true
		}
	}
	return inv
}

// Hosts returns the configured hosts by id.
func (inv *Inventory) Hosts() map[string]*Host { return maps.Clone(inv.hosts) }

// setIdentity sets a host's id and name and the rules that apply to it.
func (inv *Inventory) setIdentity(h *Host, id, name string) {
	h.ID, h.Name = id, name
	h.Labels[alert.HostLabel], h.Labels[alert.HostnameLabel] = id, name
	h.rules = map[string][]*rule{}
	for _, r := range inv.rules {
		if !r.matches(h) {
			continue
		}
		for service, s := range h.Services {
			if r := r.forPlugin(s.Plugin); r != nil {
				h.rules[service] = append(h.rules[service], r)
			}
		}
	}
}

// allows reports whether a sender may send requests for a host. A token that is
// not bound is valid for every host.
func (inv *Inventory) allows(from Sender, h *Host) bool {
	switch {
	case from.Token == "", slices.Contains(from.Hosts, h.ID):
		return true
	case len(from.Hosts) > 0:
		return false
	case !inv.boundTokens[from.Token], h.registeredBy == from.Token:
		return true
	default:
		groups := inv.tokenGroups[from.Token]
		return slices.ContainsFunc(h.Groups, func(group string) bool { return slices.Contains(groups, group) })
	}
}

// hostBuilder builds hosts from templates and groups, by name.
type hostBuilder struct {
	templates map[string]map[string]Service
	groups    map[string]*Group
}

func newHostBuilder(c *Config) hostBuilder {
	b := hostBuilder{map[string]map[string]Service{}, map[string]*Group{}}
	for _, t := range c.Templates {
		services := make(map[string]Service, len(t.Services))
		for name, s := range t.Services {
			services[name] = Service{s.Plugin, s.Interval.Std(), orDefault(s.SilentAfter, silentIntervals*s.Interval.Std())}
		}
		b.templates[t.Name] = services
	}
	for i := range c.Groups {
		b.groups[c.Groups[i].Name] = &c.Groups[i]
	}
	return b
}

// build builds a host without id and name. A service or label of a later template
// or group replaces an earlier one of the same name; the host's own replace those
// of its groups.
func (b hostBuilder) build(e *InventoryEntry) *Host {
	h := &Host{Active: e.Active == nil || *e.Active, Groups: e.Groups, Labels: alert.Labels{}, Services: map[string]Service{}}
	for _, name := range e.Groups {
		if g := b.groups[name]; g != nil {
			for _, t := range g.Templates {
				maps.Copy(h.Services, b.templates[t])
			}
			maps.Copy(h.Labels, g.Labels)
		}
	}
	for _, t := range e.Templates {
		maps.Copy(h.Services, b.templates[t])
	}
	maps.Copy(h.Labels, e.Labels)
	h.config, h.etag = encodeAgentConfig(h.Services)
	return h
}

// encodeAgentConfig returns the configuration of an agent and its entity tag.
func encodeAgentConfig(services map[string]Service) (body []byte, etag string) {
	pairs := make(map[string][2]any, len(services))
	for name, s := range services {
		pairs[name] = [2]any{s.Plugin, int(s.Interval / time.Second)}
	}
	body, err := json.Marshal(map[string]any{"services": pairs})
	if err != nil {
		panic(fmt.Sprintf("encode services: %v", err)) // strings and integers are always JSON
	}
	sum := sha256.Sum256(body)
	return body, `"` + hex.EncodeToString(sum[:8]) + `"`
}

// registration is the stored record of a host that registered itself.
type registration struct {
	Token string    `json:"token"` // the name of the token that it registered with
	At    time.Time `json:"at"`
}

// newRegisteredHost returns the host with an id that registers with a token.
func (inv *Inventory) newRegisteredHost(id, token string) *Host {
	h := inv.register.template
	h.registeredBy, h.Labels = token, maps.Clone(h.Labels)
	inv.setIdentity(&h, id, id)
	return &h
}

// mayRegister reports whether a sender may register a host with this id.
func (inv *Inventory) mayRegister(from Sender, id string) bool {
	return inv.register != nil && slices.Contains(inv.register.tokens, from.Token) && idFault(id) == "" &&
		(len(from.Hosts) == 0 || slices.Contains(from.Hosts, id))
}

// registeredHost returns the host of a registration, nil if there is none. If it cannot be
// read, the host exists and is to register again.
func (inv *Inventory) registeredHost(id string, it store.Item) *Host {
	if inv.register == nil {
		return nil
	}
	var reg registration
	found, err := store.Decode(it, &reg)
	if !found && err == nil {
		return nil
	}
	h := inv.newRegisteredHost(id, reg.Token)
	h.unregistered = err != nil
	return h
}

// registerChanges returns the changes that register a host, to be committed with
// its first report. All registrations change one key, so that two at a time cannot
// exceed the bound.
func (r *Registry) registerChanges(ctx context.Context, now time.Time, h *Host) ([]store.Change, error) {
	items, err := r.Store.Get(ctx, keyspace.HostEnrolment, keyspace.HostEnrolled+h.ID)
	if err != nil {
		return nil, err
	}
	if readable, _ := store.Decode(items[1], new(registration)); readable {
		return nil, nil // registered by a concurrent report
	}
	limit := r.Inventory.register.max
	registered, err := r.Store.List(ctx, keyspace.HostEnrolled, "", limit)
	if err != nil {
		return nil, err
	}
	if items[1].Version == 0 && len(registered) >= limit {
		return nil, ErrFull
	}
	record, err := store.Encode(items[1].Key, registration{h.registeredBy, now.UTC()})
	if err != nil {
		return nil, err
	}
	record.If = store.Unchanged(items[1])
	last := store.Change{Key: keyspace.HostEnrolment, Value: []byte(`"` + h.ID + `"`), If: store.Unchanged(items[0])}
	return []store.Change{record, last}, nil
}
