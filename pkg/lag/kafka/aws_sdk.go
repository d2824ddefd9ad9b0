//go:build !lambda && !scf

package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/twmb/franz-go/pkg/sasl/aws"
)

const (
	// keyMargin is how long before their expiry credentials are renewed.
	keyMargin = time.Minute
	// maxChainCause bounds the text of an error of the SDK, in bytes. It contains the
	// response of the endpoint that failed.
	maxChainCause = 500
)

// awsChain finds credentials where the AWS SDK looks for them: web identities (IRSA),
// the shared configuration and credentials files with all that a profile can name, the
// endpoint of a container (ECS, EKS Pod Identity), and the role of the instance.
type awsChain struct {
	mu       sync.Mutex
	provider sdk.CredentialsProvider // caches credentials until they expire
}

func (c *awsChain) get(ctx context.Context) (aws.Auth, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	key, err := c.retrieve(ctx)
	if err != nil {
		cause := chainCause(err)
		return aws.Auth{}, &Error{
			Kind: Credentials,
			en:   fmt.Sprintf("no AWS credentials to log in with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine, container or service account a role (%s)", cause),
			zh:   fmt.Sprintf("没有可用于登录的 AWS 密钥：请设置 AWS_ACCESS_KEY_ID 和 AWS_SECRET_ACCESS_KEY，或为机器、容器、服务账号配置角色（%s）", cause),
		}
	}
	return aws.Auth{AccessKey: key.AccessKeyID, SecretKey: key.SecretAccessKey, SessionToken: key.SessionToken}, nil
}

// chainCause returns the text of an error of the SDK, whose end names the cause of most.
// That of a credential_process may contain its output, and with it the credentials: only
// the innermost error is shown.
func chainCause(err error) string {
	if process, ok := errors.AsType[*processcreds.ProviderError](err); ok {
		inner := process.Err
		for next := errors.Unwrap(inner); next != nil; next = errors.Unwrap(inner) {
			inner = next
		}
		return "credential_process: " + shorten(inner.Error(), maxChainCause)
	}
	return shorten(err.Error(), maxChainCause)
}

func (c *awsChain) retrieve(ctx context.Context) (sdk.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider == nil {
		cfg, err := config.LoadDefaultConfig(ctx, config.WithCredentialsCacheOptions(func(o *sdk.CredentialsCacheOptions) { o.ExpiryWindow = keyMargin }))
		if err != nil {
			return sdk.Credentials{}, err
		}
		c.provider = cfg.Credentials
	}
	return c.provider.Retrieve(ctx)
}

// forget makes the next login look for credentials again: the brokers rejected these,
// and files may have changed.
func (c *awsChain) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.provider = nil
}
