// Package floors checks the imports between the packages of the module. Every package is
// a room with a rule for its imports. Rooms are on floors and import only rooms on lower
// floors, so that no imports run upward or in a circle.
package floors

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A floor has rooms that do not import each other.
type floor struct {
	name  string
	rooms []room
}

// A room is a package and its rule.
type room struct {
	// name is the package's path below pkg/, or below the module for functions,
	// cmd, scripts and test. FOLDER/* is the rule of all packages in a folder that
	// have no rule of their own.
	name string
	// imports lists the rooms that it may import. FOLDER/* is all rooms in a folder,
	// and * all rooms.
	imports string
	// forbidden lists packages outside the module that it must not import.
	forbidden string
}

// floors is the table of rules, from the top floor down.
var floors = []floor{
	{"tests", []room{
		{name: "test/*", imports: "*"},
	}},
	{"tools", []room{
		{name: "scripts/zip"},
		{name: "notify/notifytest", imports: "notify render alert setting store localcloud/*"}, // for tests of channels
		{name: "outbox/outboxtest", imports: "outbox notify alert"},                            // for tests with an outbox
		{name: "store/storetest", imports: "store"},                                            // for tests of stores
		{name: "store/redis/redistest"},
	}},
	{"programs", []room{
		{name: "functions/*", imports: "app faas"},
		{name: "cmd/tocsin", imports: "app api config lag lag/trend chart alert humanize setting terminal host/agent localcloud localcloud/*"},
		{name: "cmd/tocsin-agent", imports: "host/agent terminal"},
	}},
	{"app: builds the parts from a configuration", []room{
		{name: "app", imports: "config api lag/kafka lag/ckafka lag lag/trend host dispatch outbox intake notify render store store/backend store/memory store/keyspace tencent metrics faas alert"},
	}},
	{"config: assembles the rooms' configurations", []room{
		{name: "config", imports: "api alert lag host route inhibit notify notify/* render config/strict store/backend setting"},
	}},
	{"interfaces: HTTP in, offsets in", []room{
		{name: "api", imports: "dispatch outbox silence host lag lag/trend intake store metrics alert setting"},
		{name: "lag/kafka", imports: "lag setting"},
		{name: "lag/ckafka", imports: "lag tencent"},
	}},
	{"engines", []room{
		{name: "dispatch", imports: "outbox route silence inhibit render store store/keyspace metrics alert"},
		{name: "lag", imports: "lag/trend store store/keyspace metrics alert humanize setting"},
		{name: "host", imports: "store store/keyspace alert humanize setting"},
	}},
	{"decisions and delivery", []room{
		{name: "outbox", imports: "notify store store/keyspace metrics alert"},
		{name: "route", imports: "matcher render store/keyspace alert setting"},
		{name: "silence", imports: "matcher store store/keyspace alert"},
		{name: "inhibit", imports: "matcher store store/keyspace alert setting"},
	}},
	{"channels, which import no other channel", []room{
		{name: "notify/*", imports: "notify/chat notify render chart store store/keyspace alert setting"},
		{name: "notify/sms", imports: "notify/phone notify render tencent alert setting"},
		{name: "notify/voice", imports: "notify/phone notify render tencent alert setting"},
		{name: "notify/wecomapp", imports: "notify/wecom notify/chat notify render store store/keyspace alert setting"},
		{name: "notify/wecomrobot", imports: "notify/wecom notify/chat notify render chart alert setting"},
	}},
	{"bases of channels: WeCom", []room{
		{name: "notify/wecom", imports: "notify/chat notify render"},
	}},
	{"bases of channels: chat and phone", []room{
		{name: "notify/chat", imports: "notify render alert setting"},
		{name: "notify/phone", imports: "notify render tencent setting"},
	}},
	{"contracts: notifications out, alerts in", []room{
		{name: "notify", imports: "render store alert setting"},
		{name: "intake", imports: "alert setting", forbidden: "net/http"},
	}},
	{"texts, matchers, stores", []room{
		{name: "render", imports: "chart alert humanize"},
		{name: "matcher", imports: "alert setting"},
		{name: "tencent", imports: "setting"},
		{name: "store/backend", imports: "store store/bolt store/memory store/redis"},
		{name: "config/strict", imports: "setting"},
	}},
	{"parts", []room{
		{name: "lag/trend", imports: "alert"},
		{name: "host/agent", imports: "setting/base"},
		{name: "chart", imports: "humanize"},
		{name: "chart/glyphs"}, // generates the font of chart
		{name: "store/bolt", imports: "store"},
		{name: "store/memory", imports: "store"},
		{name: "store/redis", imports: "store"},
		{name: "setting", imports: "setting/base"},
	}},
	{"local cloud", []room{
		{name: "localcloud", imports: "localcloud/*"},
	}},
	{"local cloud: vendors and platforms, which import only each other", []room{
		{name: "localcloud/*", imports: "localcloud/*"},
	}},
	{"ground", []room{
		{name: "alert"},
		{name: "store", imports: "store/keyspace"},
		{name: "setting/base"},
		{name: "humanize"},
		{name: "metrics"},
		{name: "terminal"},
		{name: "faas"},
	}},
	{"keys", []room{
		{name: "store/keyspace"},
	}},
}

// Check returns the violations of the rules, one line each. packages are the imports by
// package. Packages of the module have their paths below it.
func Check(packages map[string][]Import) []string {
	var violations []string
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		r, _ := find(pkg)
		if r == nil {
			violations = append(violations, pkg+" has no rule: add one to the table in test/floors/floors.go")
			continue
		}
		for _, i := range packages[pkg] {
			if v := r.check(pkg, i); v != "" {
				violations = append(violations, fmt.Sprintf("%s imports %s: %s", pkg, i.Path, v))
			}
		}
	}
	return violations
}

// Import is an import of a package.
type Import struct {
	Path string
	Own  bool // a package of the module
}

// check returns why pkg, a package of the room, must not have an import; "" if it may.
func (r *room) check(pkg string, i Import) string {
	if !i.Own {
		if slices.Contains(strings.Fields(r.forbidden), i.Path) {
			return "excluded by the rule of " + r.name
		}
		return ""
	}
	imported, to := find(i.Path)
	_, from := find(pkg)
	switch {
	case imported == nil:
		return "it has no rule"
	case !r.allows(i.Path):
		return fmt.Sprintf("the rule of %s allows %s", r.name, cmp.Or(r.imports, "none"))
	case to < from, to == from && imported != r:
		return fmt.Sprintf("not on a lower floor: from %q to %q", floors[from].name, floors[to].name)
	}
	return ""
}

// allows reports whether the rule lists a package.
func (r *room) allows(pkg string) bool {
	return slices.ContainsFunc(strings.Fields(r.imports), func(name string) bool { return matches(name, pkg) })
}

// find returns the room of a package, which is its own rule or else that of its folder,
// and the index of its floor. It returns nil if there is no rule.
func find(pkg string) (found *room, at int) {
	for n := range floors {
		for i := range floors[n].rooms {
			r := &floors[n].rooms[i]
			isFolder := strings.HasSuffix(r.name, "/*")
			if matches(r.name, pkg) && (found == nil || !isFolder) {
				found, at = r, n
			}
		}
	}
	return found, at
}

// matches reports whether a name in the table is that of a package or of its folder.
func matches(name, pkg string) bool {
	if name == "*" {
		return true
	}
	top, _, _ := strings.Cut(name, "/")
	if !slices.Contains([]string{"functions", "cmd", "scripts", "test"}, top) {
		name = "pkg/" + name
	}
	folder, isFolder := strings.CutSuffix(name, "*")
	if !isFolder {
		return pkg == name
	}
	rest, ok := strings.CutPrefix(pkg, folder)
	return ok && rest != "" && !strings.Contains(rest, "/")
}
