module anteroom

go 1.26
