//go:build lambda || scf

package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/sasl/aws"
)

// awsChain has no credentials: those of a function are in its environment.
type awsChain struct{}

func (*awsChain) get(context.Context) (aws.Auth, error) {
	return aws.Auth{}, &Error{
		Kind: Credentials,
		en:   "no AWS credentials to log in with: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; give the function a role",
		zh:   "没有可用于登录的 AWS 密钥：未设置 AWS_ACCESS_KEY_ID 和 AWS_SECRET_ACCESS_KEY，请为函数配置角色",
	}
}

func (*awsChain) forget() {}
