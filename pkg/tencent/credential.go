// Package tencent holds what the users of Tencent Cloud's API share: the key that
// requests are signed with, how the official SDK's clients behave, what an error
// means and what to do about it, and the pace of requests.
//
// It is the SDK's common client that is used, like this:
//
//	key := tencent.Credential{ID: id, Key: secret, Lookup: os.LookupEnv}
//	profile, err := tencent.Profile("https://ckafka.tencentcloudapi.com")
//	client := common.NewCommonClient(key, region, profile)
//	client.WithHttpTransport(tencent.Transport(http.DefaultTransport))
//	err = tencent.Do(ctx, key, "ckafka:DescribeGroup", func(ctx context.Context) error {
//		return client.Send(tencent.NewRequest(ctx, "ckafka:DescribeGroup", "2019-08-19", params), &answer)
//	})
package tencent

import (
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"

	"tocsin/pkg/setting"
)

// The variables in which SCF puts the temporary key of a function's role. The
// SDK's own chain of providers does not know them.
const (
	envID    = "TENCENTCLOUD_SECRETID"
	envKey   = "TENCENTCLOUD_SECRETKEY"
	envToken = "TENCENTCLOUD_SESSIONTOKEN"
)

// Credential is the key that requests are signed with: a key of its own, or, when
// ID is empty, that of the function's role. The latter is looked up for every
// request, because the platform renews it between invocations.
type Credential struct {
	ID  string
	Key setting.Secret
	// Lookup reads the environment, as os.LookupEnv does. Nil means that there
	// is no role.
	Lookup func(name string) (string, bool)
}

var _ common.CredentialIface = Credential{}

// GetCredential returns id, key and session token; the SDK calls it once for
// each request.
func (c Credential) GetCredential() (id, key, token string) {
	if c.ID != "" || c.Lookup == nil {
		return c.ID, string(c.Key), ""
	}
	id, _ = c.Lookup(envID)
	key, _ = c.Lookup(envKey)
	token, _ = c.Lookup(envToken)
	return id, key, token
}

// GetSecretId returns the id alone.
func (c Credential) GetSecretId() string { id, _, _ := c.GetCredential(); return id }

// GetSecretKey returns the key alone.
func (c Credential) GetSecretKey() string { _, key, _ := c.GetCredential(); return key }

// GetToken returns the session token alone, "" for a permanent key.
func (c Credential) GetToken() string { _, _, token := c.GetCredential(); return token }
