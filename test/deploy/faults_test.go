package deploy

import (
	"strings"
	"testing"
)

// mutation replaces one text of a real file, and names the fault that must follow.
type mutation struct{ name, old, new, want string }

func testMutations(t *testing.T, path string, check func([]byte) []string, mutations []mutation) {
	t.Helper()
	text := string(read(t, path))
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			if !strings.Contains(text, m.old) {
				t.Fatalf("got no %q in %s, want it", m.old, path)
			}
			faults := check([]byte(strings.ReplaceAll(text, m.old, m.new)))
			if all := strings.Join(faults, "\n"); !strings.Contains(all, m.want) {
				t.Errorf("got faults %q, want %s", faults, m.want)
			}
		})
	}
}

func TestTemplateFaults(t *testing.T) {
	check := func(data []byte) []string {
		return CheckTemplate(data, []string{"dispatch", "hosts", "lag", "webhook"})
	}
	testMutations(t, "template.yaml", check, []mutation{
		{"no YAML", "Resources:\n", "Resources: [\n", "yaml"},
		{"unknown top-level key", "Transform:", "Transfrom:", "unknown key Transfrom"},
		{"missing top-level key", "Transform: AWS::Serverless-2016-10-31\n", "", "Transform is missing"},
		{"a key twice", "    Handler: bootstrap\n", "    Handler: bootstrap\n    Handler: bootstrap\n", "Handler"},
		{"unknown property", "MemorySize:", "Memory:", "unknown key Memory"},
		{"unknown resource type", "Type: AWS::Serverless::Function", "Type: AWS::Serverless::Fnction", `"AWS::Serverless::Fnction" is not one of AWS::Serverless::Function`},
		{"old runtime", "provided.al2023", "go1.x", `"go1.x" is not one of provided.al2023`},
		{"handler", "Handler: bootstrap", "Handler: main", `"main" is not one of bootstrap`},
		{"zip that is not built", "dist/lambda/lag.zip", "dist/lambda/lags.zip", "CodeUri dist/lambda/lags.zip is not a zip that scripts/build makes"},
		{"other cloud's zip", "dist/lambda/lag.zip", "dist/scf/lag.zip", "functions/lag is not deployed"},
		{"fixed architecture", "[!Ref Architecture]", "[arm64]", "Architectures must be [!Ref Architecture]"},
		{"architecture's default", "Default: x86_64", "Default: arm64", `"arm64" is not one of x86_64`},
		{"default that is not allowed", "Default: info", "Default: trace", `default "trace" is not one of AllowedValues`},
		{"no default", "    Default: rate(1 minute)\n", "", "Default is missing"},
		{"memory", "MemorySize: 256", "MemorySize: 64", `"64" is not a whole number from 128 to 10240`},
		{"timeout", "Timeout: 60", "Timeout: 901", `"901" is not a whole number from 1 to 900`},
		{"timeout with unit", "Timeout: 60", "Timeout: 60s", `"60s" is not a whole number`},
		{"timeout as text", "Timeout: 60", `Timeout: "60"`, `"60" is not a whole number`},
		{"reserved variable", "WECOM_KEY:", "AWS_WECOM_KEY:", "AWS_WECOM_KEY: the platform reserves such names"},
		{"impossible variable", "WECOM_KEY:", "WECOM-KEY:", "WECOM-KEY is not an allowed name"},
		{"environment too large", "TOCSIN_LOG_LEVEL: !Ref LogLevel", "TOCSIN_LOG_LEVEL: " + strings.Repeat("x", 4096), "4096 are allowed"},
		{"secret in clear", "WECOM_KEY: !Ref WecomKey", "WECOM_KEY: 693a91f6", "WECOM_KEY is written into the template"},
		{"secret that is echoed", "NoEcho: true\n    Default: \"\"\n\nGlobals:", "Default: \"\"\n\nGlobals:", "parameter RedisPassword holds a secret: NoEcho must be true"},
		{"reference to nothing", "!Ref LogLevel", "!Ref LogLevle", "!Ref LogLevle: there is no such parameter or resource"},
		{"parameter without use", "ScheduleExpression: !Ref Schedule", "ScheduleExpression: rate(1 minute)", "parameter Schedule is not used"},
		{"attribute of nothing", "Value: !Ref TocsinLag", "Value: !GetAtt TocsinLga.Arn", "!GetAtt TocsinLga: there is no such"},
		{"unknown attribute", "Value: !Ref TocsinLag", "Value: !GetAtt TocsinLag.ARN", "a function has no such attribute"},
		{"substitution of nothing", "Value: !Ref TocsinLag", "Value: !Sub '${AWS::Region}-${TocsinLga}'", "!Sub TocsinLga: there is no such"},
		{"long form", "Value: !Ref TocsinLag", "Value: {Ref: TocsinLag}", "write Ref in its short form"},
		{"function that is not checked", "Value: !Ref TocsinLag", "Value: !Join ['', [a]]", "!Join is not supported"},
		{"unknown event type", "Type: ScheduleV2", "Type: Shedule", `"Shedule" is not one of ScheduleV2`},
		{"unknown property of an event", "ScheduleExpression:", "Schedule:", "unknown key Schedule"},
		{"plural of one", "Default: rate(1 minute)", "Default: rate(1 minutes)", "one is singular"},
		{"cron with seconds", "Default: rate(1 minute)", "Default: cron(0 * * * * ? *)", "has 7 fields, not 6"},
		{"a list for a schedule", "ScheduleExpression: !Ref Schedule", "ScheduleExpression: [rate(1 minute)]", "must be a string"},
		{"switched off", "            RetryPolicy:", "            State: DISABLED\n            RetryPolicy:", `"DISABLED" is not one of ENABLED`},
		{"input that is not JSON", `{"source": "aws.scheduler",`, `{"source": "aws.scheduler"`, "the input is not JSON"},
		{"unknown source of the input", `"source": "aws.scheduler"`, `"source": "ours"`, "lacks source, time and resources"},
		{"name that two stacks share", "Name: !Sub '${AWS::StackName}-lag'", "Name: tocsin-lag", "tocsin-lag is the same in every stack"},
		{"no name of the schedule", "            Name: !Sub '${AWS::StackName}-lag'\n", "", "Name is missing"},
		{"retries for a day", "              MaximumRetryAttempts: 1\n", "", "MaximumRetryAttempts is missing"},
		{"retries of the function", "MaximumRetryAttempts: 0", "MaximumRetryAttempts: 3", `"3" is not a whole number from 0 to 2`},
		{"nothing shared", "Globals:\n", "Global:\n", "unknown key Global"},
		{"unknown shared key", "    EventInvokeConfig:\n", "    CodeUri: dist\n    EventInvokeConfig:\n", "unknown key CodeUri"},
		{"shared property is missing", "    Runtime: provided.al2023\n", "", "Runtime is missing"},
		{"signed requests", "AuthType: NONE", "AuthType: AWS_IAM", `"AWS_IAM" is not one of NONE`},
		{"a stream", "        AuthType: NONE\n", "        AuthType: NONE\n        InvokeMode: RESPONSE_STREAM\n", `"RESPONSE_STREAM" is not one of BUFFERED`},
		{"a misspelt property of the address", "AuthType:", "AuthTyp:", "unknown key AuthTyp"},
		{"function without a caller", "      FunctionUrlConfig:\n        AuthType: NONE\n", "", "a function has either Events or FunctionUrlConfig"},
		{"the address of nothing", "TocsinWebhookUrl.FunctionUrl", "TocsinLagUrl.FunctionUrl", "!GetAtt TocsinLagUrl: there is no such"},
		{"unknown attribute of an address", "TocsinWebhookUrl.FunctionUrl", "TocsinWebhookUrl.Url", "a function URL has no such attribute"},
		{"events as a list", "        Tick:\n", "        - Tick:\n", "must be a mapping"},
	})
	if faults := CheckTemplate(read(t, "template.yaml"), []string{"dispatch", "hosts", "lag", "webhook", "more"}); len(faults) != 1 || faults[0] != "functions/more is not deployed" {
		t.Errorf("function that is not deployed: got faults %q, want one", faults)
	}
}

func TestServerlessFaults(t *testing.T) {
	check := func(data []byte) []string {
		_, faults := CheckServerless(data, ".", []string{"lag"})
		return faults
	}
	testMutations(t, "serverless.yml", check, []mutation{
		{"no YAML", "inputs:\n", "inputs: [\n", "yaml"},
		{"another component", "component: scf", "component: multi-scf", `"multi-scf" is not one of scf`},
		{"unknown key", "memorySize:", "memory:", "unknown key memory"},
		{"missing key", "  role: TocsinFunctionRole\n", "", "role is missing"},
		{"name", "name: tocsin-lag", "name: tocsin-lag-", `"tocsin-lag-" is not allowed here`},
		{"long name", "name: tocsin-lag", "name: t" + strings.Repeat("o", 60), "is not allowed here"},
		{"region", "region: ap-guangzhou", "region: Guangzhou", `"Guangzhou" is not allowed here`},
		{"folder that is not built", "src: dist/scf/lag", "src: dist/scf/lags", "src dist/scf/lags is not a folder that scripts/build creates"},
		{"source folder", "src: dist/scf/lag", "src: functions/lag", "src functions/lag is not a folder"},
		{"web function", "type: event", "type: web", `"web" is not one of event`},
		{"runtime", "runtime: Go1", "runtime: go1.x", `"go1.x" is not one of Go1`},
		{"handler", "handler: main", "handler: index.main", `"index.main" is not one of main`},
		{"memory step", "memorySize: 128", "memorySize: 192", "192 MB is not 64 or a multiple of 128"},
		{"memory", "memorySize: 128", "memorySize: 4096", "not a whole number from 64 to 3072"},
		{"timeout", "timeout: 60", "timeout: 901", "not a whole number from 1 to 900"},
		{"reserved variable", "WECOM_KEY:", "SCF_WECOM_KEY:", "SCF_WECOM_KEY: the platform reserves such names"},
		{"reserved variable of the role", "WECOM_KEY:", "TENCENTCLOUD_SECRETID:", "the platform reserves such names"},
		{"impossible variable", "WECOM_KEY:", "1KEY:", "1KEY is not an allowed name"},
		{"environment too large", "TOCSIN_LOG_LEVEL: info", "TOCSIN_LOG_LEVEL: " + strings.Repeat("x", 4096), "4096 are allowed"},
		{"environment as a list", "    variables:\n", "    variables:\n      - A\n    more:\n", "must be a mapping"},
		{"variable of the shell", "${env:WECOM_KEY}", "${WECOM_KEY}", "${WECOM_KEY} is not a variable"},
		{"variable in a text", "${env:WECOM_KEY}", "key=${env:WECOM_KEY}", "${env:WECOM_KEY} must stand alone"},
		{"unknown trigger", "- timer:", "- apigw:", "unknown key apigw"},
		{"trigger's name", "name: tick", "name: 1tick", `"1tick" is not allowed here`},
		{"closed trigger", "enable: true", "enable: false", `"false" is not one of true`},
		{"trigger closed by default", "          enable: true # without it the trigger is created closed\n", "", "enable is missing"},
		{"five fields", "'0 */1 * * * * *'", "'*/1 * * * *'", "has 5 fields, not 7"},
		{"no schedule", "cronExpression:", "cron:", "cronExpression is missing"},
		{"argument that is no text", "enable: true", "enable: true\n          argument: {a: b}", "must be a string"},
	})

	testMutations(t, "functions/webhook/serverless.yml", func(data []byte) []string {
		_, faults := CheckServerless(data, "functions/webhook", []string{"webhook"})
		return faults
	}, []mutation{
		{"signed requests", "authType: NONE", "authType: CAM", `"CAM" is not one of NONE`},
		{"no authentication type", "          authType: NONE\n", "", "authType is missing"},
		{"closed by default", "            enableExtranet: true # without it the function cannot be reached\n", "            enableIntranet: true\n", "enableExtranet is missing"},
		{"closed", "enableExtranet: true", "enableExtranet: false", `"false" is not one of true`},
		{"misspelt", "netConfig:", "netconfig:", "unknown key netconfig"},
		{"discontinued gateway", "- http:", "- apigw:", "unknown key apigw"},
	})

	inFunction := strings.Replace(string(read(t, "serverless.yml")), "src: dist/scf/lag", "src: ../../dist/scf/lag", 1)
	if deploys, faults := CheckServerless([]byte(inFunction), "functions/lag", []string{"lag"}); len(faults) != 0 || len(deploys) != 1 || deploys[0] != "lag" {
		t.Errorf("file in the function's folder: got deploys %q and faults %q, want lag and none", deploys, faults)
	}
}
