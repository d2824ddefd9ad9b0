package keyspace

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// constants returns the constants of keyspace.go by name.
func constants(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "keyspace.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := (&types.Config{Importer: importer.Default()}).Check("keyspace", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok {
			all[name] = constant.StringVal(c.Val())
		}
	}
	return all
}

func TestKinds(t *testing.T) {
	all := constants(t)
	single := func(key string) bool { return strings.HasPrefix(key, Meta) && key != Meta }
	t.Run("every prefix ends with its only slash", func(t *testing.T) {
		for name, prefix := range all {
			if name == "LagAll" || single(prefix) {
				continue
			}
			if i := strings.IndexByte(prefix, '/'); i < 1 || i != len(prefix)-1 {
				t.Errorf("%s = %q, want a kind and one slash", name, prefix)
			}
		}
	})
	t.Run("no prefix begins another's keys", func(t *testing.T) {
		for a, short := range all {
			for b, long := range all {
				if a != b && a != "LagAll" && strings.HasPrefix(long, short) && !single(long) {
					t.Errorf("%s = %q begins %s = %q: a list of the one returns the other", a, short, b, long)
				}
			}
		}
	})
	t.Run("single keys have one name each", func(t *testing.T) {
		names := map[string]string{}
		for name, key := range all {
			if names[key] != "" {
				t.Errorf("%s and %s are both %q", name, names[key], key)
			}
			names[key] = name
		}
	})
	t.Run("only lag's kinds begin with LagAll", func(t *testing.T) {
		for name, prefix := range all {
			if strings.HasPrefix(prefix, LagAll) && !strings.HasPrefix(name, "Lag") {
				t.Errorf("%s = %q begins with %q, which pkg/lag lists", name, prefix, LagAll)
			}
		}
	})
	if len(all) < 20 {
		t.Errorf("got %d constants, want all of keyspace.go", len(all))
	}
}

// TestOnDisk holds the prefixes to what released versions wrote.
func TestOnDisk(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"Alert", Alert, "alert/"},
		{"Group", Group, "group/"},
		{"Member", Member, "member/"},
		{"Log", Log, "log/"},
		{"Source", Source, "source/"},
		{"Silence", Silence, "silence/"},
		{"Outbox", Outbox, "owed/"},
		{"RateLimit", RateLimit, "pace/"},
		{"DeadLetter", DeadLetter, "dead/"},
		{"LastTick", LastTick, "meta/tick"},
		{"Intake", Intake, "meta/intake"},
		{"InhibitRules", InhibitRules, "meta/inhibit_rules"},
		{"HostCheck", HostCheck, "meta/host_check"},
		{"HostEnrolment", HostEnrolment, "meta/host_enrol"},
		{"Host", Host, "host/"},
		{"HostValue", HostValue, "host_value/"},
		{"HostBreach", HostBreach, "host_over/"},
		{"HostOffline", HostOffline, "host_offline/"},
		{"HostCondition", HostCondition, "host_condition/"},
		{"HostEnrolled", HostEnrolled, "host_enrolled/"},
		{"Lag", Lag, "lag/"},
		{"LagTrend", LagTrend, "lagtrend/"},
		{"Channel", Channel, "channel/"},
		{"Part", Part, "part/"},
		{"Peer", Peer, "peer/"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, test.got, test.want)
		}
	}
}
