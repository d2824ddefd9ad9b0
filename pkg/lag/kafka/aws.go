package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/sasl/aws"
)

// awsKeys returns the credentials that sign a login with AWS_MSK_IAM: those in the
// environment, which a function's platform renews while it is warm, or those that the
// AWS SDK finds.
//
// Functions are built without the SDK, since both platforms put the key of the role into
// the environment. functions/lag (amd64, as scripts/build makes it, zipped, and the time
// until it ends without an event, the fastest tenth of 150):
//
//	without the SDK    22.49 MB    8.47 MB    5.4 ms
//	with it            26.16 MB    9.66 MB    7.3 ms
//	its providers of containers, instances and web identities alone
//	                   24.18 MB    9.03 MB    5.9 ms
type awsKeys struct {
	lookup func(string) (string, bool)
	chain  awsChain
}

// get returns the credentials. Its error is an *Error.
func (k *awsKeys) get(ctx context.Context) (aws.Auth, error) {
	auth := aws.Auth{}
	if k.lookup != nil {
		auth.AccessKey, _ = k.lookup("AWS_ACCESS_KEY_ID")
		auth.SecretKey, _ = k.lookup("AWS_SECRET_ACCESS_KEY")
		auth.SessionToken, _ = k.lookup("AWS_SESSION_TOKEN")
	}
	if auth.AccessKey != "" && auth.SecretKey != "" {
		return auth, nil
	}
	return k.chain.get(ctx)
}
