module github.com/grapevine-referrals/grapevine/examples/go-quickstart

go 1.24.0

require (
	github.com/google/uuid v1.6.0
	github.com/grapevine-referrals/grapevine/gen/client v0.0.0
	github.com/oapi-codegen/nullable v1.1.0
)

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
)

// In a program of your own leave this line out and require a released version of the client.
replace github.com/grapevine-referrals/grapevine/gen/client => ../../gen/client
