package tencent

import "tocsin/pkg/setting"

// The variables in which SCF provides the temporary key of a function's role.
const (
	envID    = "TENCENTCLOUD_SECRETID"
	envKey   = "TENCENTCLOUD_SECRETKEY"
	envToken = "TENCENTCLOUD_SESSIONTOKEN"
)

// Credential provides the key that requests are signed with: the permanent key in ID and
// Secret, or, if ID is empty, the temporary key of the function's role. The latter is
// looked up for every request, because the platform renews it between invocations.
type Credential struct {
	ID     string
	Secret setting.Secret
	// Lookup reads the environment, as os.LookupEnv does. It is nil if there is no
	// role.
	Lookup func(name string) (string, bool)
}

// Key signs requests.
type Key struct {
	ID, Secret string
	Token      string // the session token of a temporary key, "" for a permanent one
}

// Resolve returns the key to sign one request with. Its ID or Secret is empty if there
// is no key.
func (c Credential) Resolve() Key {
	if c.ID != "" || c.Lookup == nil {
		return Key{ID: c.ID, Secret: string(c.Secret)}
	}
	var k Key
	k.ID, _ = c.Lookup(envID)
	k.Secret, _ = c.Lookup(envKey)
	k.Token, _ = c.Lookup(envToken)
	return k
}
