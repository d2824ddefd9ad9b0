package tencent

import "testing"

// environment is an environment for Credential.Lookup.
type environment map[string]string

func (e environment) lookup(name string) (string, bool) { v, ok := e[name]; return v, ok }

func TestResolve(t *testing.T) {
	role := environment{"TENCENTCLOUD_SECRETID": "AKIDrole", "TENCENTCLOUD_SECRETKEY": "role-key", "TENCENTCLOUD_SESSIONTOKEN": "role-token"}
	tests := []struct {
		name       string
		credential Credential
		want       Key
	}{
		{"its own key", Credential{ID: "AKIDown", Secret: "own-key"}, Key{ID: "AKIDown", Secret: "own-key"}},
		{"its own key before the role's", Credential{ID: "AKIDown", Secret: "own-key", Lookup: role.lookup}, Key{ID: "AKIDown", Secret: "own-key"}},
		{"the role's", Credential{Lookup: role.lookup}, Key{"AKIDrole", "role-key", "role-token"}},
		{"no role", Credential{Lookup: environment{}.lookup}, Key{}},
		{"no environment", Credential{}, Key{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.credential.Resolve(); got != tt.want {
				t.Errorf("Resolve() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestResolveReadsTheEnvironmentEachTime(t *testing.T) {
	env := environment{"TENCENTCLOUD_SECRETID": "AKIDone"}
	c := Credential{Lookup: env.lookup}
	first := c.Resolve().ID
	env["TENCENTCLOUD_SECRETID"] = "AKIDtwo"
	if got := first + " " + c.Resolve().ID; got != "AKIDone AKIDtwo" {
		t.Errorf("ids = %s, want AKIDone AKIDtwo", got)
	}
}
