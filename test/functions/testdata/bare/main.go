// Bare is the least that a Lambda function can be: what the others' cold start
// is compared with.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() error { return nil }) }
