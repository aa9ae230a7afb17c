module anteroom

go 1.26.0

require (
	github.com/andybalholm/brotli v1.2.8 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/maxence-charriere/go-app/v10 v10.1.11 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.47.0 // indirect
	golang.org/x/time v0.16.0 // indirect
	nhooyr.io/websocket v1.8.17 // indirect
)
