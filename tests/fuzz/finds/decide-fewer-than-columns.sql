-- agency acme
INSERT INTO drafts ( id , body ) VALUES ( width )