//go:build !scf

package faas

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// serveLambda speaks AWS Lambda's Runtime API through aws-lambda-go, which gives
// the context its deadline. Lambda's environment is whole from the start, so the
// function is built while the first event is on its way.
func serveLambda(in *instance) error {
	go in.prepare()
	lambda.StartWithOptions(onLambda{in})
	return errors.New("aws-lambda-go returned")
}

// onLambda is a lambda.Handler.
type onLambda struct{ in *instance }

func (l onLambda) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	inv := Invocation{Function: lambdacontext.FunctionName}
	if c, ok := lambdacontext.FromContext(ctx); ok {
		inv.RequestID = c.AwsRequestID
	}
	return l.in.invoke(ctx, inv, event)
}
