package tencent

import "tocsin/pkg/setting"

// The variables in which SCF provides the temporary key of a function's role.
const (
	envID    = "TENCENTCLOUD_SECRETID"
	envKey   = "TENCENTCLOUD_SECRETKEY"
	envToken = "TENCENTCLOUD_SESSIONTOKEN"
)

// Credential is the source of the key that requests are signed with: the key it
// holds, or, when ID is empty, that of the function's role. The latter is looked
// up for every request, because the platform renews it between invocations.
type Credential struct {
	ID  string
	Key setting.Secret
	// Lookup reads the environment, as os.LookupEnv does. Nil means that there
	// is no role.
	Lookup func(name string) (string, bool)
}

// Key signs requests.
type Key struct {
	ID, Secret string
	Token      string // the session token of a temporary key, "" for a permanent one
}

// Resolve returns the key to sign one request with; its ID or Secret is empty when
// there is none.
func (c Credential) Resolve() Key {
	if c.ID != "" || c.Lookup == nil {
		return Key{ID: c.ID, Secret: string(c.Key)}
	}
	var k Key
	k.ID, _ = c.Lookup(envID)
	k.Secret, _ = c.Lookup(envKey)
	k.Token, _ = c.Lookup(envToken)
	return k
}
