-- agency acme
INSERT INTO tags (label) SELECT ID ,[1] Name FROM PROJECTS